package main

import (
	"strings"

	"github.com/spf13/cobra"
)

// An id as it looks in examples.
const someID = "01990000-0000-7000-8000-00000000000a"

// examples are of the commands that bring none along, by their paths. Every command has one.
var examples = map[string]string{
	"":                  "up\nimport leads.csv\njobs tail\ndoctor",
	"up":                "up\nPORT=4000 MONITOR_PORT=4001 astrogrowth up",
	"migrate":           "migrate",
	"simulator":         "simulator",
	"version":           "version\nversion --json",
	"import undo":       "import undo " + someID,
	"jobs":              "jobs list --state failed\njobs show " + someID + " --wait\njobs tail",
	"jobs show":         "jobs show " + someID + "\njobs show " + someID + " --wait --json",
	"jobs cancel":       "jobs cancel " + someID,
	"jobs retry":        "jobs retry " + someID + " --wait",
	"schedules":         "schedules list\nschedules show 'monday posts'",
	"schedules list":    "schedules list --json",
	"schedules show":    "schedules show 'monday posts'",
	"schedules run":     "schedules run 'monday posts'",
	"schedules enable":  "schedules enable 'monday posts'",
	"schedules disable": "schedules disable 'monday posts'",
	"schedules delete":  "schedules delete 'monday posts'",
	"routes":            "routes\nroutes --default > routes.yaml",
	"cache":             "cache stats\ncache invalidate 'llm:cache:simple:*'",
	"cache stats":       "cache stats --days 30",
	"rehearse":          "rehearse\nrehearse --day 2026-12-01 --zone America/Toronto",
	"keys":              "keys list\nkeys create n8n --scopes enqueue,read",
	"keys list":         "keys list",
	"keys create":       "keys create n8n --scopes enqueue,read\nkeys create auditor --scopes read --days 30",
	"keys rotate":       "keys rotate " + someID + " --grace 24h\nkeys rotate " + someID + " --revoke",
	"keys revoke":       "keys revoke " + someID,
	"keys reseal":       "keys reseal",
	"leads":             "leads list --priority high",
	"leads list":        "leads list --priority high\nleads list --query bistro --min-score 60 --json",
	"leads show":        "leads show " + someID,
	"contents":          "contents list --status in_review\ncontents show " + someID,
	"contents list":     "contents list --status in_review",
	"contents show":     "contents show " + someID,
	"contents approve":  "contents approve " + someID + " --hash HASH",
	"contents reject":   "contents reject " + someID + " --reason 'the price is wrong'",
	"calendar":          "calendar\ncalendar --days 30 --json",
}

// withExamples gives every command without an example its own.
func withExamples(root *cobra.Command) {
	own := func(c *cobra.Command) {
		lines, known := examples[strings.TrimSpace(strings.TrimPrefix(c.CommandPath(), root.Name()))]
		if c.Example != "" || !known {
			return
		}
		for i, l := range strings.Split(lines, "\n") {
			if i > 0 {
				c.Example += "\n"
			}
			if !strings.Contains(l, "astrogrowth ") {
				l = root.Name() + " " + l
			}
			c.Example += "  " + l
		}
	}
	eachCommand(root, own)
}

func eachCommand(c *cobra.Command, do func(*cobra.Command)) {
	do(c)
	for _, sub := range c.Commands() {
		eachCommand(sub, do)
	}
}
