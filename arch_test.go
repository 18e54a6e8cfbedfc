package growth_test

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const module = "github.com/zakibelm/astrogrowth"

// room is one package of the house. It may import every room of a lower floor, and of its own floor only what beside
// names.
type room struct {
	floor  int
	beside []string
}

// house is the import table. A package that is not in it does not belong: add it here first, on the lowest floor that
// it can live on. docs/decisions says why the floors are what they are.
var house = map[string]room{
	"cmd/astrogrowth":  {floor: 5},
	"cmd/enqueuer":     {floor: 5},
	"cmd/monitor":      {floor: 5},
	"cmd/worker":       {floor: 5},
	"examples/library": {floor: 5}, // as a program outside would be
	"examples/service": {floor: 5}, "examples/subscriber": {floor: 5},
	"internal/testenv": {floor: 5}, "internal/testenv/program": {floor: 5}, // for tests: nobody on a lower floor can reach them

	"internal/api":       {floor: 4},
	"internal/dashboard": {floor: 4},
	"internal/wiring":    {floor: 4}, // what the programs build alike; only cmd may stand on it

	"tasks": {floor: 3, beside: []string{"tasks/prompts"}}, "tasks/prompts": {floor: 3},

	"router":             {floor: 2},
	"internal/analytics": {floor: 2}, // the numbers that people steer by, whoever shows them

	// The outside world, each alone.
	"providers":         {floor: 1},
	"router/breaker":    {floor: 1},
	"router/budget":     {floor: 1},
	"router/cache":      {floor: 1},
	"router/quota":      {floor: 1},
	"store":             {floor: 1, beside: []string{"store/migrations"}},
	"store/migrations":  {floor: 1},
	"internal/events":   {floor: 1},
	"internal/limit":    {floor: 1},
	"internal/linkedin": {floor: 1},
	// Pure knowledge.
	"internal/auth":     {floor: 1},
	"internal/content":  {floor: 1},
	"internal/forecast": {floor: 1},
	"internal/lead":     {floor: 1},
	"internal/seal":     {floor: 1},
	"internal/webhook":  {floor: 1},
	// When things come due.
	"internal/timetable": {floor: 1},
	// What callers in Go import: the REST API, and the words.
	"client": {floor: 1},
	// What programs stand on.
	"internal/daemon":    {floor: 1},
	"internal/devstack":  {floor: 1},
	"internal/simulator": {floor: 1},

	".":               {floor: 0},
	"internal/config": {floor: 0},
}

// fault says what is wrong with one package's import of another, nothing when nothing is.
func fault(from, to string) string {
	a, known := house[from]
	if !known {
		return fmt.Sprintf("%s is not in the import table", from)
	}
	b, known := house[to]
	switch {
	case !known:
		return fmt.Sprintf("%s imports %s, which is not in the import table", from, to)
	case b.floor < a.floor || slices.Contains(a.beside, to):
		return ""
	case b.floor == a.floor:
		return fmt.Sprintf("%s imports %s sideways on floor %d", from, to, a.floor)
	default:
		return fmt.Sprintf("%s on floor %d imports %s on floor %d above it", from, a.floor, to, b.floor)
	}
}

func TestImportsPointDown(t *testing.T) {
	t.Parallel()
	rooms := localImports(t)
	if len(rooms) < 2 {
		t.Fatalf("only %d packages found", len(rooms))
	}
	for _, from := range slices.Sorted(maps.Keys(rooms)) {
		if _, known := house[from]; !known {
			t.Errorf("%s is not in the import table of arch_test.go", from)
			continue
		}
		for _, to := range rooms[from] {
			if f := fault(from, to); f != "" {
				t.Error(f)
			}
		}
	}
}

func TestImportTableFindsFaults(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ from, to, want string }{
		{"tasks", "store", ""},
		{"store", "store/migrations", ""},
		{"cmd/worker", ".", ""},
		{"providers", "store", "providers imports store sideways on floor 1"},
		{"router/cache", "router/quota", "router/cache imports router/quota sideways on floor 1"},
		{"store", "tasks", "store on floor 1 imports tasks on floor 3 above it"},
		{"tasks", "internal/testenv", "tasks on floor 3 imports internal/testenv on floor 5 above it"},
		{"internal/util", ".", "internal/util is not in the import table"},
		{"tasks", "internal/util", "tasks imports internal/util, which is not in the import table"},
	} {
		if diff := cmp.Diff(tc.want, fault(tc.from, tc.to)); diff != "" {
			t.Errorf("%s -> %s (-want +got):\n%s", tc.from, tc.to, diff)
		}
	}
}

func TestNamesThatSayNothingAreRefused(t *testing.T) {
	t.Parallel()
	for _, dir := range slices.Sorted(maps.Keys(localImports(t))) {
		if slices.Contains([]string{"util", "utils", "common", "helper", "helpers", "models", "types", "misc"}, path.Base(dir)) {
			t.Errorf("%s: a package is a noun that says what it holds", dir)
		}
	}
}

// localImports gives, for each package with code that ships, the packages of this module that it imports. Every build
// tag counts; other modules below this one do not.
func localImports(t *testing.T) map[string][]string {
	t.Helper()
	rooms := map[string][]string{}
	files := token.NewFileSet()
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return enter(name)
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(files, name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		from := filepath.ToSlash(filepath.Dir(name))
		imports := rooms[from]
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if to, local := localPath(imported); local && !slices.Contains(imports, to) {
				imports = append(imports, to)
			}
		}
		rooms[from] = imports
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return rooms
}

// enter skips what the go command would skip, and other modules.
func enter(dir string) error {
	base := filepath.Base(dir)
	hidden := dir != "." && (strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_"))
	if hidden || base == "testdata" || base == "node_modules" {
		return filepath.SkipDir
	}
	if mods, err := filepath.Glob(filepath.Join(dir, "go.mod")); err != nil || (dir != "." && len(mods) > 0) {
		return filepath.SkipDir
	}
	return nil
}

func localPath(imported string) (string, bool) {
	if imported == module {
		return ".", true
	}
	return strings.CutPrefix(imported, module+"/")
}
