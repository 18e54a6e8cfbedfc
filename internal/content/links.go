package content

import (
	"regexp"
	"slices"
	"strings"
)

var linkForm = regexp.MustCompile(`(?i)\b(?:https?://|www\.)[^\s<>"«»]+|\b[a-z0-9][a-z0-9-]*(?:\.[a-z0-9-]+)*\.(?:com|ca|org|net|io|fr|quebec|co|app|dev|biz|info|ly|link|gle|page|shop|store|online|site)(?:/[^\s<>"«»]*)?\b` +
	`|\b[a-z0-9][a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,24}/[^\s<>"«»]*[^\s<>"«».,;:!?)]`) // with a path, any ending is an address

// notLinks are names of software, which end like an address, as in "Next.js/React".
var notLinks = regexp.MustCompile(`^[a-z0-9-]+\.(?:js|ts|py|rb|php|html?|css|md|pdf|docx?|xlsx?)/`)

// links finds addresses that the brief does not hold: a model invents those too, or takes them from a lead's own words.
func links(p piece) string {
	known := linksIn(strings.Join([]string{p.brief.Link, p.brief.Brief, p.brief.Topic, p.brief.CTA, p.brief.Business["website"]}, "\n"))
	var invented []string
	for _, l := range linksIn(p.draft.Title + "\n" + p.text) {
		if !slices.Contains(known, l) && !slices.Contains(invented, l) {
			invented = append(invented, l)
		}
	}
	if len(invented) > 0 {
		return "the brief does not hold the link " + list(invented)
	}
	return ""
}

// linksIn gives the addresses of a text without scheme, "www." and closing punctuation.
func linksIn(s string) []string {
	if !dotInside(s) {
		return nil
	}
	var out []string
	for _, l := range linkForm.FindAllString(s, -1) {
		l = strings.TrimRight(l, ".,;:!?)/'’")
		l = strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(strings.ToLower(l), "https://"), "http://"), "www.")
		if !notLinks.MatchString(l) {
			out = append(out, l)
		}
	}
	return out
}

func withoutLinks(s string) string {
	if !dotInside(s) {
		return s
	}
	return linkForm.ReplaceAllString(s, " ")
}

// dotInside says whether a full stop stands inside a word, as one does in every address.
func dotInside(s string) bool {
	for i := range len(s) {
		if s[i] == '.' && i+1 < len(s) && s[i+1] > ' ' && i > 0 && s[i-1] > ' ' {
			return true
		}
	}
	return false
}
