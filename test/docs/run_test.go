//go:build e2e

package docs

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/zakibelm/astrogrowth/internal/testenv"
	"github.com/zakibelm/astrogrowth/internal/testenv/program"
)

// The longest that a block, and what goes on in the background before the next one, may take.
const (
	blockTime = 3 * time.Minute
	readyTime = 3 * time.Minute
)

// checkout is a copy of the sources, as a reader has them after `git clone`, with the programs built.
var checkout string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	suite := testenv.Around(m)
	var err error
	if checkout, err = os.MkdirTemp("", "ag-docs"); err == nil {
		defer func() { _ = os.RemoveAll(checkout) }()
		err = prepare()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "docs:", err)
		return 1
	}
	return suite.Run()
}

// curlrc lets curl end with an error when it is answered by one, as a reader would notice.
const curlrc = "fail-with-body\nsilent\nshow-error\n"

// goFlags keep the checkout's place out of what is built, so that the build cache serves the next one.
const goFlags = "GOFLAGS=-trimpath"

// prepare copies what git knows, so that no file of the developer's own helps a command along, and builds it.
func prepare() error {
	if err := os.Chmod(checkout, 0o755); err != nil { // the stores' accounts must pass through
		return err
	}
	copying := exec.CommandContext(context.Background(), "bash", "-c",
		`set -o pipefail; git ls-files -z --cached --others --exclude-standard | tar --null --files-from=- --ignore-failed-read -cf - | tar -xf - -C "$1"`, "copy", checkout)
	copying.Dir, copying.Stderr = root, os.Stderr
	if err := copying.Run(); err != nil {
		return fmt.Errorf("copy the sources: %w", err)
	}
	if err := os.WriteFile(filepath.Join(checkout, ".curlrc"), []byte(curlrc), 0o600); err != nil {
		return err
	}
	build := exec.CommandContext(context.Background(), "make", "build")
	build.Dir, build.Stderr, build.Env = checkout, os.Stderr, append(os.Environ(), goFlags)
	if err := build.Run(); err != nil {
		return fmt.Errorf("build: %w", err)
	}
	return nil
}

// reader follows a page.
type reader struct {
	t       *testing.T
	env     []string
	here    *strings.Replacer // from the addresses of the page to those of this run: nothing else is substituted
	saved   map[string]string // words of the page whose values an earlier block printed
	running []*program.Program
	finally func() // nil: nothing
}

func newReader(t *testing.T) *reader {
	t.Helper()
	p, err := program.Ports(4)
	if err != nil {
		t.Fatal(err)
	}
	data := dataDir(t)
	r := &reader{
		t: t, saved: map[string]string{},
		env: []string{
			"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "DATA_DIR=" + data, "PORT=" + p[0], "MONITOR_PORT=" + p[1],
			"WORKER_PORT=" + p[2], "SIMULATOR_PORT=" + p[3], goFlags, "CURL_HOME=" + checkout,
		},
		here: strings.NewReplacer("localhost:3000", "localhost:"+p[0], "localhost:3001", "localhost:"+p[1],
			"localhost:3002", "localhost:"+p[2], "localhost:3003", "localhost:"+p[3]),
	}
	t.Cleanup(r.stop)
	return r
}

// dataDir is a place that the stores' own accounts can reach, whoever runs the test.
func dataDir(t *testing.T) string {
	t.Helper()
	dir, err := program.Dir("ag-docs-data")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// follow runs the page's blocks from the first to the last.
func (r *reader) follow(page string) {
	r.t.Helper()
	printed := func() string { return "" }
	for _, f := range fences(r.t, page) {
		switch {
		case f.lang == "sh" && (!f.has("skip") || f.has("line")):
			printed = r.block(f)
		case f.has("shows"):
			r.compare(f, printed)
		}
		if r.t.Failed() {
			return // a reader would not get any further either
		}
	}
}

// compare waits for what goes on in the background to show it.
func (r *reader) compare(f fence, printed func() string) {
	r.t.Helper()
	want := r.words(f.text)
	for end := time.Now().Add(20 * time.Second); shows(printed(), want) != "" && len(r.running) > 0 && time.Now().Before(end); {
		time.Sleep(50 * time.Millisecond)
	}
	if missing := shows(printed(), want); missing != "" {
		r.t.Errorf("%s: %q is not shown:\n%s", f, missing, printed())
	}
}

// words puts in what this run has in the place of the page's addresses and words.
func (r *reader) words(text string) string {
	for word, value := range r.saved {
		text = regexp.MustCompile(`\b`+word+`\b`).ReplaceAllLiteralString(text, value)
	}
	return r.here.Replace(text)
}

// block runs a block and gives what it prints.
func (r *reader) block(f fence) func() string {
	r.t.Helper()
	if f.has("stop") {
		r.stop()
	}
	text := f.text
	if f.has("line") {
		text = f.info["line"]
	}
	if f.has("background") {
		return r.begin(f, r.words(text))
	}
	ctx, cancel := context.WithTimeout(r.t.Context(), blockTime)
	defer cancel()
	cmd := r.shell(ctx, r.words(text))
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		r.t.Fatalf("%s: %v", f, err)
	}
	if want, got := f.info["exit"], strconv.Itoa(cmd.ProcessState.ExitCode()); got != want && (want != "" || got != "0") {
		r.t.Fatalf("%s: exit code %s:\n%s\n%s%s", f, got, cmd.Args[2], out.String(), errs.String())
	}
	r.save(f, out.Bytes())
	return func() string { return out.String() + errs.String() }
}

func (r *reader) shell(ctx context.Context, text string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "bash", "-c", "set -eo pipefail\n"+text)
	cmd.Dir, cmd.Env = checkout, r.env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// save keeps what later blocks use.
func (r *reader) save(f fence, out []byte) {
	r.t.Helper()
	for pair := range strings.FieldsSeq(f.info["save"]) {
		word, from, _ := strings.Cut(pair, "=")
		if form, isForm := strings.CutPrefix(from, "~"); isForm {
			if m := regexp.MustCompile("(?m)" + form).FindSubmatch(out); m != nil {
				r.saved[word] = string(m[1])
			}
		} else {
			r.saved[word] = member(out, from)
		}
		if r.saved[word] == "" {
			r.t.Fatalf("%s: there is no %s:\n%s", f, from, out)
		}
	}
}

// member is the text at a path of a JSON document, empty where there is none.
func member(doc []byte, path string) string {
	var v any
	if json.Unmarshal(doc, &v) != nil {
		return ""
	}
	for name := range strings.SplitSeq(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[name]
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i >= len(x) {
				return ""
			}
			v = x[i]
		}
	}
	text, _ := v.(string)
	return text
}

// begin starts a command that goes on, and waits until it is ready. printed gives what it has said so far.
func (r *reader) begin(f fence, text string) (printed func() string) {
	r.t.Helper()
	cmd := r.shell(context.WithoutCancel(r.t.Context()), "exec "+strings.TrimSpace(text))
	if first, _, _ := strings.Cut(strings.TrimSpace(text), " "); strings.Contains(first, "=") { // exec takes no assignment
		cmd.Args[2] = "set -e\nexec env " + strings.TrimSpace(text)
	}
	b, err := program.Start(cmd)
	if err != nil {
		r.t.Fatalf("%s: %v", f, err)
	}
	r.running = append(r.running, b)
	if err := b.Ready(readyTime, func() bool { return r.isReady(f, b) }); err != nil {
		r.t.Fatalf("%s: %v", f, err)
	}
	return b.Out.String
}

func (r *reader) isReady(f fence, b *program.Program) bool {
	if address := f.info["ready"]; address != "" {
		req, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, r.words(address), nil)
		if err != nil {
			r.t.Fatalf("%s: %v", f, err)
		}
		resp, err := (&http.Client{Timeout: 5 * time.Second}).Do(req)
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode/100 == 2
	}
	return strings.Contains(b.Out.String(), f.info["until"])
}

// stop ends what goes on, the last first, as Ctrl-C in its terminal does.
func (r *reader) stop() {
	for _, b := range slices.Backward(r.running) {
		if err := b.Interrupt(); err != nil {
			r.t.Error(err)
		}
	}
	r.running = nil
}

// TestPages follows each page on a fresh installation.
func TestPages(t *testing.T) {
	for _, page := range pages {
		t.Run(filepath.Base(page), func(t *testing.T) {
			r := newReader(t)
			defer r.stop() // before the stores are taken away
			switch page {
			case "docs/operations.md":
				r.ownStores()
			case "docs/api-guide.md":
				r.finally = func() { r.hasEveryCall(page) }
			}
			r.follow(page)
			if r.finally != nil && !t.Failed() {
				r.finally()
			}
		})
	}
}
