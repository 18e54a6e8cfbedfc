package growth_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	growth "github.com/zakibelm/astrogrowth"
)

func TestTypesOfEventsThatNobodySendsAreRefused(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		begin bool
		hint  string // empty: right
	}{
		{"job.succeeded", false, ""},
		{"job.*", true, ""},
		{"job.*", false, "use job.canceled, job.failed, job.succeeded"},
		{"post.publishd", true, "post.published"},
		{"job", true, "job.failed"},
		{"foo.*", true, "account.expiring"},
		{"", true, "account.expiring"},
	} {
		err := growth.CheckEventType("op", "types", tc.name, tc.begin)
		if (err == nil) != (tc.hint == "") || err != nil && !strings.Contains(err.Error(), tc.hint) {
			t.Errorf("%q: %v; want a hint at %q", tc.name, err, tc.hint)
		}
	}
}

// A type that is sent and not in the list could not be subscribed to.
func TestEveryTypeThatIsSentIsKnown(t *testing.T) {
	t.Parallel()
	sent := regexp.MustCompile(`(?:NewEvent\{Type: |\bevent\(|Event: +|kind [:]?= )"([a-z]+\.[a-z_]+)"`)
	found := 0
	for _, dir := range []string{"store", "tasks", "internal"} {
		err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			src, err := os.ReadFile(path)
			for _, m := range sent.FindAllStringSubmatch(string(src), -1) {
				if found++; !slices.Contains(growth.EventTypes, m[1]) {
					t.Errorf("%s sends %s, which growth.EventTypes lacks", path, m[1])
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if found < 15 {
		t.Errorf("only %d types were found in the sources", found)
	}
}
