package n8n

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestWorkflowsAreWhatN8nTakes(t *testing.T) {
	t.Parallel()
	all := files(t)
	if len(all) < 3 {
		t.Fatalf("%d workflows in %s; want 3", len(all), workflowDir)
	}
	for name, raw := range all {
		for _, fault := range lint(raw, all) {
			t.Errorf("%s: %s", name, fault)
		}
	}
}

// lint says what is wrong with a workflow. others are all the files, for what a workflow refers to.
func lint(raw []byte, others map[string][]byte) []string {
	var w workflow
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields() // an instance's id, versionId and the like have no place in a file
	if err := d.Decode(&w); err != nil {
		return []string{"it does not read as a workflow: " + err.Error()}
	}
	l := &linter{w: &w, others: others}
	l.head()
	for i := range w.Nodes {
		l.node(&w.Nodes[i])
		l.credentials(&w.Nodes[i])
		l.addresses(&w.Nodes[i])
		l.expressions(&w.Nodes[i])
	}
	l.wiring()
	l.errorPath()
	return l.faults
}

type linter struct {
	w      *workflow
	others map[string][]byte
	faults []string
}

func (l *linter) fault(format string, args ...any) {
	l.faults = append(l.faults, fmt.Sprintf(format, args...))
}

var workflowID = regexp.MustCompile(`^[A-Za-z0-9]{1,21}$`)

func (l *linter) head() {
	switch {
	case l.w.Name == "":
		l.fault("no name: n8n refuses it")
	case !workflowID.MatchString(l.w.ID):
		l.fault("id %q: use 1 to 21 letters and digits; longer ones are imported and refused later", l.w.ID)
	case l.w.Active:
		l.fault("active: importing switches it off, so the file should say so")
	case len(l.w.PinData) > 0:
		l.fault("pinData: pinned data would stand in the place of a real run")
	case l.w.Settings["executionOrder"] != "v1":
		l.fault("settings.executionOrder: want v1, which runs one branch to its end before the next")
	}
	ids, names := map[string]bool{}, map[string]bool{}
	note := false
	for _, n := range l.w.Nodes {
		if n.ID == "" || ids[n.ID] {
			l.fault("%q: its id %q is empty or another's", n.Name, n.ID)
		}
		if n.Name == "" || names[n.Name] {
			l.fault("%q: the name is empty or another's, and connections go by names", n.Name)
		}
		ids[n.ID], names[n.Name] = true, true
		note = note || kind(&n) == "stickyNote" && strings.Contains(n.str("content"), "Set up")
	}
	if !note {
		l.fault("no sticky note tells the set-up")
	}
}

// kind is a node's type without its package.
func kind(n *node) string { return strings.TrimPrefix(n.Type, "n8n-nodes-base.") }

func key(n *node) string { return n.Type + "@" + strconv.FormatFloat(n.Version, 'g', -1, 64) }

func (l *linter) node(n *node) {
	f, known := facts[key(n)]
	if !known {
		l.fault("%q: %s is not in the table of facts", n.Name, key(n))
		return
	}
	if len(n.Position) != 2 {
		l.fault("%q: no position [x, y]", n.Name)
	}
	for _, p := range slices.Sorted(maps.Keys(n.Parameters)) {
		if !slices.Contains(f.params, p) {
			l.fault("%q: %s has no parameter %s", n.Name, key(n), p)
		}
	}
	for _, p := range f.needs {
		if n.Parameters[p] == nil || n.Parameters[p] == "" {
			l.fault("%q: the parameter %s is missing", n.Name, p)
		}
	}
	options, _ := n.at("options").(map[string]any)
	for _, o := range slices.Sorted(maps.Keys(options)) {
		if !slices.Contains(f.options, o) {
			l.fault("%q: %s has no option %s", n.Name, key(n), o)
		}
	}
	if hook := kind(n) == "webhook" || kind(n) == "wait"; hook && n.WebhookID == "" {
		l.fault("%q: no webhookId; only the editor makes one up", n.Name)
	}
	if n.MaxTries > 5 || n.Wait > 5000 {
		l.fault("%q: n8n tries at most 5 times, 5000 ms apart", n.Name)
	}
	l.retries(n)
}

var jobPath = regexp.MustCompile(`/v1/jobs/(lead-qualification|content-generation|linkedin-publish|\{\{)`)

// retries knows how n8n decides whether a node has failed: also by a member called error in its first item, whatever its
// value. A job has one, so a node that is tried again must hold the job below body.
func (l *linter) retries(n *node) {
	if kind(n) == "httpRequest" && n.RetryOnFail && jobPath.MatchString(n.str("url")) && n.at("options", "response", "response", "fullResponse") != true {
		l.fault("%q: it is tried again and its answer is a job: take the full response, or n8n takes the job's member error for a failure", n.Name)
	}
}

func (l *linter) credentials(n *node) {
	for name, ref := range n.Credentials {
		if name != headerAuth {
			l.fault("%q: credential type %s, want %s", n.Name, name, headerAuth)
		}
		if len(ref) != 2 || ref["id"] == "" || ref["name"] == "" {
			l.fault("%q: a credential is named by id and name, and by nothing else", n.Name)
		}
	}
	wants := n.str("genericAuthType") == headerAuth || n.str("authentication") == "headerAuth"
	if _, has := n.Credentials[headerAuth]; wants != has {
		l.fault("%q: it asks for a header credential: %v; it names one: %v", n.Name, wants, has)
	}
	if kind(n) == "webhook" && !wants {
		l.fault("%q: anybody could call it", n.Name)
	}
}

var (
	address = regexp.MustCompile(`https?://[^\s'"}]*`)
	secret  = regexp.MustCompile(`(?i)ag_live_\w+|\bsk-[\w-]{8,}|\bhf_\w{8,}|bearer\s+[\w.-]{8,}|xox[a-z]-|eyJ[\w-]{10,}|\b[0-9a-f]{24,}\b`)
)

// configured are the addresses that Config may hold: those of a fresh installation.
var configured = []string{"http://localhost:3000"}

// addresses finds secrets everywhere, and addresses everywhere but in the notes and in Config.
func (l *linter) addresses(n *node) {
	text, err := json.Marshal(n.Parameters)
	if err != nil {
		l.fault("%q: %v", n.Name, err)
	}
	if s := secret.FindString(string(text)); s != "" {
		l.fault("%q: %.12s… looks like a secret", n.Name, s)
	}
	if kind(n) == "stickyNote" {
		return
	}
	for _, a := range address.FindAllString(string(text), -1) {
		if n.Name != "Config" || !slices.Contains(configured, a) {
			l.fault("%q: the address %s belongs into Config, as one of %v", n.Name, a, configured)
		}
	}
}

var (
	reference = regexp.MustCompile(`\$\('([^']*)'\)`)
	blocked   = regexp.MustCompile(`\$env\b|\$vars\b`)
)

func (l *linter) expressions(n *node) {
	for text := range texts(n.Parameters) {
		for _, m := range reference.FindAllStringSubmatch(text, -1) {
			if l.w.node(m[1]) == nil {
				l.fault("%q refers to %q, which is no node", n.Name, m[1])
			}
		}
		if b := blocked.FindString(text); b != "" && strings.HasPrefix(text, "=") {
			l.fault("%q: %s is closed to expressions in n8n 2, or paid for", n.Name, b)
		}
		if strings.Contains(text, "{{") && !strings.HasPrefix(text, "=") && kind(n) != "stickyNote" {
			l.fault("%q: %.40s… is no expression without = before it", n.Name, text)
		}
	}
}

// texts yields every string below a value.
func texts(v any) func(func(string) bool) {
	return func(yield func(string) bool) { eachText(v, yield) }
}

func eachText(v any, yield func(string) bool) bool {
	switch x := v.(type) {
	case string:
		return yield(x)
	case []any:
		for _, e := range x {
			if !eachText(e, yield) {
				return false
			}
		}
	case map[string]any:
		for _, e := range x {
			if !eachText(e, yield) {
				return false
			}
		}
	}
	return true
}

// outputs is how many outputs a node has, with the one for its errors.
func outputs(n *node) int {
	out := facts[key(n)].outputs
	if kind(n) == "switch" {
		rules, _ := n.at("rules", "values").([]any)
		out = len(rules)
		if n.str("options", "fallbackOutput") == "extra" {
			out++
		}
	}
	if n.OnError == "continueErrorOutput" {
		out++
	}
	return out
}

func (l *linter) wiring() {
	for _, from := range slices.Sorted(maps.Keys(l.w.Connections)) {
		n := l.w.node(from)
		if n == nil {
			l.fault("a connection comes from %q, which is no node", from)
			continue
		}
		if got, most := len(l.w.Connections[from].Main), outputs(n); got > most {
			l.fault("%q has %d outputs and is connected at %d", from, most, got)
		}
		for _, to := range slices.Concat(l.w.Connections[from].Main...) {
			if l.w.node(to.Node) == nil || to.Type != "main" || to.Index != 0 {
				l.fault("the connection from %q to %q leads nowhere", from, to.Node)
			}
		}
	}
	reached := map[string]bool{}
	for i := range l.w.Nodes {
		if n := &l.w.Nodes[i]; facts[key(n)].trigger {
			l.walk(n.Name, reached, func(*node) bool { return true })
		}
	}
	for _, n := range l.w.Nodes {
		if !reached[n.Name] && kind(&n) != "stickyNote" {
			l.fault("%q is not reached from a trigger", n.Name)
		}
		if slices.Contains([]string{"if", "switch", "splitInBatches"}, kind(&n)) {
			for o := range outputs(&n) {
				if len(l.w.next(n.Name, o)) == 0 {
					l.fault("%q: its output %d leads nowhere, so a run would end there without a word", n.Name, o)
				}
			}
		}
	}
}

// walk visits what is reached from a node, going on behind the nodes for which on says so.
func (l *linter) walk(name string, seen map[string]bool, on func(*node) bool) {
	n := l.w.node(name)
	if n == nil || seen[name] {
		return
	}
	seen[name] = true
	if !on(n) {
		return
	}
	for _, to := range slices.Concat(l.w.Connections[name].Main...) {
		l.walk(to.Node, seen, on)
	}
}

// errorPath wants a way for every failure: a caller who waits gets an answer, and a run that fails is told of.
func (l *linter) errorPath() {
	for i := range l.w.Nodes {
		if n := &l.w.Nodes[i]; n.OnError == "continueErrorOutput" && len(l.w.next(n.Name, outputs(n)-1)) == 0 {
			l.fault("%q: its output for errors leads nowhere", n.Name)
		}
		if n := &l.w.Nodes[i]; kind(n) == "webhook" {
			l.answers(n)
		}
		if kind(&l.w.Nodes[i]) == "errorTrigger" {
			return // this is where errors go
		}
	}
	id, _ := l.w.Settings["errorWorkflow"].(string)
	for _, raw := range l.others {
		var other workflow
		if json.Unmarshal(raw, &other) == nil && other.ID == id && slices.ContainsFunc(other.Nodes, func(n node) bool { return kind(&n) == "errorTrigger" }) {
			return
		}
	}
	l.fault("settings.errorWorkflow %q is none of the files with an Error Trigger", id)
}

// answers looks at what can fail before the caller of a webhook has an answer.
func (l *linter) answers(hook *node) {
	if hook.str("responseMode") != "responseNode" {
		return
	}
	before := map[string]bool{}
	l.walk(hook.Name, before, func(n *node) bool { return kind(n) != "respondToWebhook" })
	for name := range before {
		n := l.w.node(name)
		if kind(n) == "httpRequest" && n.OnError != "continueErrorOutput" {
			l.fault("%q: it can fail before the caller has an answer, and has no output for errors", name)
		}
		if kind(n) != "respondToWebhook" && len(slices.Concat(l.w.Connections[name].Main...)) == 0 {
			l.fault("%q: a run can end here without an answer to the caller", name)
		}
	}
}

// A lead is written about once, on whatever day the workflow runs: what it lists has no text yet.
func TestTheBatchListsLeadsThatHaveNoText(t *testing.T) {
	t.Parallel()
	raw := files(t)["02-content-generation-batch.json"]
	var w workflow
	if err := json.Unmarshal(raw, &w); err != nil {
		t.Fatal(err)
	}
	params, ok := w.node("List leads").at("queryParameters", "parameters").([]any)
	if !ok {
		t.Fatalf("List leads sends no query: %v", w.node("List leads").Parameters)
	}
	query := map[string]any{}
	for _, p := range params {
		pair, _ := p.(map[string]any)
		name, _ := pair["name"].(string)
		query[name] = pair["value"]
	}
	if query["content"] != "none" {
		t.Errorf("List leads asks for %v; want content=none", query)
	}
}
