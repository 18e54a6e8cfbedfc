// Package docs runs the commands that the documentation gives, in the order in which a reader meets them, and compares
// what they print with what the documentation shows. Every block of the language sh is run, unless its info string says
// why it is not:
//
//	sh                          run by bash in the product's directory; has to end with 0
//	sh exit=1                   has to end with 1
//	sh save="JOB_ID=id"         the word JOB_ID of later blocks is the member id of the JSON that was printed
//	sh save="HASH=~hash\s+(\w+)"  … is what the group of this expression finds in what was printed
//	sh background               goes on until the page ends, or until a block says stop
//	sh background until="text"  … and has printed this before the next block runs
//	sh background ready="URL"   … and this address answers 2xx before the next block runs
//	sh line="make run"          of the block's lines only this one is run; needs skip, which says why not the others
//	sh stop                     what goes on in the background is ended first, as by Ctrl-C
//	sh skip="reason"            not run
//	text shows, json shows      what the block before printed has these lines in this order; … stands for anything
package docs

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// root is where the documentation lies.
const root = "../.."

// pages are the documents whose commands are run.
var pages = []string{
	"README.md", "QUICKSTART.md", "docs/api-guide.md", "docs/integrate-service.md", "docs/integrate-library.md", "docs/integrate-n8n.md",
	"docs/operations.md", "docs/events.md", "docs/cli.md",
}

// fence is a block of code of a page.
type fence struct {
	page string
	line int // of its first line of text
	lang string
	info map[string]string
	text string
}

func (f fence) String() string { return fmt.Sprintf("%s:%d", f.page, f.line) }

func (f fence) has(word string) bool {
	_, ok := f.info[word]
	return ok
}

// infoWords are the words of an info string: name, name=value or name="some value".
var infoWords = regexp.MustCompile(`([a-z]+)(?:=(?:"([^"]*)"|(\S+)))?`)

// fences reads the blocks of a page; what is indented below a list belongs to it.
func fences(t *testing.T, page string) []fence {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(root, page))
	if err != nil {
		t.Fatal(err)
	}
	var out []fence
	var open *fence
	for i, line := range strings.Split(string(raw), "\n") {
		text := strings.TrimSpace(line)
		switch {
		case open == nil && strings.HasPrefix(text, "```"):
			lang, rest, _ := strings.Cut(strings.TrimPrefix(text, "```"), " ")
			open = &fence{page: page, line: i + 2, lang: lang, info: map[string]string{}}
			for _, m := range infoWords.FindAllStringSubmatch(rest, -1) {
				open.info[m[1]] = m[2] + m[3]
			}
		case open != nil && text == "```":
			out = append(out, *open)
			open = nil
		case open != nil:
			open.text += line + "\n"
		}
	}
	if open != nil {
		t.Errorf("%s: the block is never closed", open)
	}
	return out
}

// known are the words of info strings.
var known = map[string]bool{
	"exit": true, "save": true, "background": true, "until": true, "ready": true, "line": true, "stop": true, "skip": true, "shows": true,
}

// TestEveryBlockSaysWhatBecomesOfIt finds a block that nobody would run and a reason that is none.
func TestEveryBlockSaysWhatBecomesOfIt(t *testing.T) {
	t.Parallel()
	run := 0
	for _, page := range pages {
		before := ""
		for _, f := range fences(t, page) {
			for word := range f.info {
				if !known[word] {
					t.Errorf("%s: %q is no word of an info string", f, word)
				}
			}
			switch {
			case f.lang == "bash" || f.lang == "shell" || f.lang == "console":
				t.Errorf("%s: write sh, so that the block is run", f)
			case f.has("skip") && len(f.info["skip"]) < 10:
				t.Errorf("%s: the reason %q is too short", f, f.info["skip"])
			case f.has("line") && (!f.has("skip") || !strings.Contains(f.text, f.info["line"])):
				t.Errorf("%s: line needs skip, and must be in the block", f)
			case f.has("shows") && before != "sh":
				t.Errorf("%s: there is no command before it", f)
			case f.lang == "sh" && (!f.has("skip") || f.has("line")):
				run++
			}
			if before = f.lang; f.has("skip") && !f.has("line") {
				before = ""
			}
		}
	}
	if run < 60 {
		t.Errorf("only %d blocks are run", run)
	}
}

// shows says which line of want is not in got, in its place, and nothing when all are.
func shows(got, want string) string {
	rest := got
	for line := range strings.SplitSeq(want, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line == "…" {
			continue
		}
		parts := strings.Split(line, "…")
		for i, p := range parts {
			parts[i] = regexp.QuoteMeta(strings.TrimSpace(p))
		}
		at := regexp.MustCompile(strings.Join(parts, `[^\n]*?`)).FindStringIndex(rest)
		if at == nil {
			return line
		}
		rest = rest[at[1]:]
	}
	return ""
}

func TestShowsComparesInOrder(t *testing.T) {
	t.Parallel()
	got := "id: 17 (fresh)\nscore: 71\nstate: succeeded\n"
	for _, tc := range []struct{ want, missing string }{
		{"id: … (fresh)\nstate: succeeded", ""},
		{"…\nscore: 71\n\n", ""},
		{"state: succeeded\nscore: 71", "score: 71"},
		{"score: 7.", "score: 7."},
		{"id: … succeeded", "id: … succeeded"},
	} {
		if missing := shows(got, tc.want); missing != tc.missing {
			t.Errorf("shows(%q) = %q, want %q", tc.want, missing, tc.missing)
		}
	}
}
