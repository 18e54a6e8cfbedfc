package n8n

import (
	"encoding/json"
	"strings"
	"testing"
)

// Each row spoils one thing in a good workflow; the lint must name it.
func TestLintFindsFaults(t *testing.T) {
	t.Parallel()
	all := files(t)
	for _, tc := range []struct {
		name, old, new, want string
	}{
		{"unknown type", `"n8n-nodes-base.switch"`, `"n8n-nodes-base.swich"`, "swich@3.2 is not in the table"},
		{"unknown version", `"typeVersion": 4.2`, `"typeVersion": 4.9`, "httpRequest@4.9 is not in the table"},
		{"parameter of another version", `"jsonBody"`, `"bodyParametersJson"`, "has no parameter bodyParametersJson"},
		{"parameter missing", `"path": "qualify-lead",`, ``, "parameter path is missing"},
		{"unknown option", `"responseCode": 202`, `"statusCode": 202`, "has no option statusCode"},
		{"member of an instance", `"pinData": {}`, `"pinData": {}, "versionId": "x"`, "unknown field"},
		{"long id", `"id": "astrogrowth01qualify"`, `"id": "astrogrowth01qualification"`, "use 1 to 21"},
		{"active", `"active": false`, `"active": true`, "active"},
		{"pinned data", `"pinData": {}`, `"pinData": {"Config": []}`, "pinData"},
		{"order of execution", `"executionOrder": "v1"`, `"executionOrder": "v0"`, "executionOrder"},
		{"name used twice", `"name": "Call today"`, `"name": "Keep warm"`, "another's"},
		{"no note", `Set up`, `Hello`, "no sticky note"},
		{"key in a header", `"http://localhost:3000"`, `"ag_live_abcdefgh"`, "looks like a secret"},
		{"value in a credential", `"name": "AstroGrowth API key"`, `"name": "AstroGrowth API key", "value": "x"`, "and by nothing else"},
		{"no credential", `"genericAuthType": "httpHeaderAuth"`, `"genericAuthType": "httpBasicAuth"`, "names one: true"},
		{"open webhook", `"authentication": "headerAuth"`, `"authentication": "none"`, "anybody could call it"},
		{"address elsewhere", `={{ $('Config').first().json.astrogrowthUrl }}/v1/jobs/lead-qualification`, `http://localhost:3000/v1/jobs/lead-qualification`, "belongs into Config"},
		{"another address in Config", `"http://localhost:3000"`, `"http://10.0.0.5:3000"`, "belongs into Config"},
		{"environment", `$json.query.wait ?? '20s'`, `$env.WAIT ?? '20s'`, "$env is closed"},
		{"no expression", `"={{ $json.query.wait`, `"{{ $json.query.wait`, "is no expression"},
		{"reference to nothing", `$('Qualify')`, `$('Qualifies')`, `refers to "Qualifies"`},
		{"connection to nothing", `"node": "Taken?"`, `"node": "Took?"`, "leads nowhere"},
		{"node apart", `"node": "Not scored"`, `"node": "Keep warm"`, `"Not scored" is not reached`},
		{"job tried again", `"fullResponse": true`, `"fullResponse": false`, "takes the job's member error"},
		{"no id of a hook", `"webhookId"`, `"notes"`, "no webhookId"},
		{"failure without an answer", `"onError": "continueErrorOutput"`, `"onError": "stopWorkflow"`, "no output for errors"},
		{"errors go nowhere", `"errorWorkflow": "astrogrowth00errors"`, `"errorWorkflow": "gone"`, `errorWorkflow "gone"`},
		{"too many tries", `"maxTries": 3`, `"maxTries": 9`, "at most 5 times"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			good := string(all["01-lead-qualification-with-llm.json"])
			if !strings.Contains(good, tc.old) {
				t.Fatalf("the workflow does not hold %s", tc.old)
			}
			got := strings.Join(lint([]byte(strings.ReplaceAll(good, tc.old, tc.new)), all), "\n")
			if !strings.Contains(got, tc.want) {
				t.Errorf("faults:\n%s\nwant one with %q", got, tc.want)
			}
		})
	}
}

// Outputs are cut by number here, which no change of text does.
func TestLintFindsOutputsThatLeadNowhere(t *testing.T) {
	t.Parallel()
	all := files(t)
	for _, tc := range []struct {
		node   string
		output int
		want   string
	}{
		{"Ended already?", 1, `"Ended already?": its output 1`},
		{"Priority", 4, `"Priority": its output 4`},
		{"First look", 1, "output for errors leads nowhere"},
		{"Config", 0, "without an answer"},
	} {
		var w workflow
		if err := json.Unmarshal(all["01-lead-qualification-with-llm.json"], &w); err != nil {
			t.Fatal(err)
		}
		w.Connections[tc.node].Main[tc.output] = nil
		raw, err := json.Marshal(w)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(lint(raw, all), "\n"); !strings.Contains(got, tc.want) {
			t.Errorf("%s cut at %d: faults:\n%s\nwant one with %q", tc.node, tc.output, got, tc.want)
		}
	}
}
