package simulator

import (
	"encoding/json"
	"slices"
	"strings"
)

// question is what a model is asked.
type question struct {
	turns     []turn
	schema    json.RawMessage // nil: free text
	jsonMode  bool
	maxTokens int // 0: no limit
	stop      []string
	rubrics   *rubrics     // nil: remember none
	gullible  bool         // obey what a lead's text says
	careless  *FaultParams // nil: write what was asked for
}

// reply is what it answers.
type reply struct {
	text   string
	finish string // "stop" or "length"
}

// answer makes an answer out of the question and nothing else: equal questions have equal answers. Whatever the
// messages hold, it does not fail.
func answer(q question) reply {
	text := compose(q)
	for _, s := range q.stop {
		if before, _, found := strings.Cut(text, s); s != "" && found {
			text = before
		}
	}
	if q.maxTokens > 0 {
		if cut, shorter := firstTokens(text, q.maxTokens); shorter {
			return reply{text: cut, finish: "length"}
		}
	}
	return reply{text: text, finish: "stop"}
}

// compose chooses who answers: one who knows the task, one who fills in a form, or one who chats.
func compose(q question) string {
	source := lastUser(q.turns)
	if task := readTask(q.rubrics, q.turns); task != nil {
		if q.gullible {
			task = obeys(task, systemOf(q.turns))
		}
		if q.careless != nil {
			task = spoils(task, *q.careless)
		}
		return string(encode(conform(q.schema, task.perform(), source)))
	}
	if len(q.schema) > 0 {
		return string(encode(conform(q.schema, nil, source)))
	}
	text := chatter(source)
	if q.jsonMode {
		return string(encode(map[string]string{"answer": text}))
	}
	return text
}

// task is a piece of work whose form the brain knows; perform returns the answer as decoded JSON.
type task interface{ perform() any }

// readTask recognises the tasks by the fences around the material in the user's messages; nil when there is none.
func readTask(known *rubrics, turns []turn) task {
	if lead, ok := fenced(turns, "LEAD"); ok {
		if t := readQualification(known, systemOf(turns), lead); t != nil {
			return t
		}
	}
	brief, ok := fenced(turns, "BRIEF")
	if !ok {
		return nil
	}
	if post, ok := fenced(turns, "POST"); ok {
		return readVerdict(systemOf(turns), brief, post)
	}
	return readWriting(systemOf(turns), brief)
}

func lastUser(turns []turn) string {
	for _, turn := range slices.Backward(turns) {
		if turn.Role == "user" {
			return turn.Content
		}
	}
	if len(turns) > 0 {
		return turns[len(turns)-1].Content
	}
	return ""
}

func systemOf(turns []turn) string {
	var parts []string
	for _, t := range turns {
		if t.Role == "system" {
			parts = append(parts, t.Content)
		}
	}
	return strings.Join(parts, "\n")
}

// fenced finds the text between the lines "NAME-<hex> BEGIN" and "NAME-<hex> END", in the newest message that has it.
// The random part keeps material from closing its own fence.
func fenced(turns []turn, name string) (string, bool) {
	for _, turn := range slices.Backward(turns) {
		if turn.Role != "user" {
			continue
		}
		if text, ok := fencedIn(turn.Content, name+"-"); ok {
			return text, true
		}
	}
	return "", false
}

func fencedIn(text, prefix string) (string, bool) {
	rest := text
	for rest != "" {
		line, after, _ := strings.Cut(rest, "\n")
		rest = after
		line = strings.TrimRight(line, "\r ")
		mark, ok := strings.CutSuffix(line, " BEGIN")
		if !ok || !strings.HasPrefix(mark, prefix) || !isHex(mark[len(prefix):]) {
			continue
		}
		if inside, _, found := strings.Cut("\n"+rest, "\n"+mark+" END"); found {
			return strings.TrimSpace(inside), true
		}
	}
	return "", false
}

func isHex(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	return strings.Trim(s, "0123456789abcdefABCDEF") == ""
}

// jsonBlock decodes the first fenced block of JSON in a text.
func jsonBlock(text string, into any) bool {
	_, rest, found := strings.Cut(text, "```json")
	if !found {
		return false
	}
	block, _, found := strings.Cut(rest, "```")
	return found && json.Unmarshal([]byte(block), into) == nil
}
