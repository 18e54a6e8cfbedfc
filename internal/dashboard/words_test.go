package dashboard

import (
	"io/fs"
	"regexp"
	"strings"
	"testing"

	growth "github.com/zakibelm/astrogrowth"
)

func TestEveryPhraseIsThereInBothLanguages(t *testing.T) {
	t.Parallel()
	for key, both := range words {
		for l, s := range both {
			if strings.TrimSpace(s) == "" {
				t.Errorf("%s is missing in %s", key, language(l).Code())
			}
		}
		if strings.Count(both[english], "%s") != strings.Count(both[french], "%s") {
			t.Errorf("%s takes another number of values in French", key)
		}
	}
	say := regexp.MustCompile(`\.T "([^"]+)"`)
	err := fs.WalkDir(templateFS, "templates", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(templateFS, path)
		for _, m := range say.FindAllStringSubmatch(string(b), -1) {
			if _, ok := words[m[1]]; !ok {
				t.Errorf("%s says %q, for which there are no words", path, m[1])
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestEveryStateHasAWord(t *testing.T) {
	t.Parallel()
	need := func(group string, values ...string) {
		for _, v := range values {
			if _, ok := words[group+"."+v]; !ok {
				t.Errorf("there is no word for %s.%s", group, v)
			}
		}
	}
	for _, s := range jobStates {
		need("state", string(s))
	}
	for _, s := range jobTypes {
		need("type", string(s))
	}
	for _, s := range contentStatuses {
		need("content", string(s))
	}
	for _, s := range publicationStates {
		need("publication", string(s))
	}
	need("schedule", scheduleStates...)
	need("tick", string(growth.TickEnqueued), string(growth.TickSkipped), string(growth.TickMissed))
	need("priority", leadPriorities...)
	need("decision", string(growth.DecisionAnswered), string(growth.DecisionFailed), string(growth.DecisionSkipped), string(growth.DecisionStopped))
	for _, w := range []growth.WaitReason{
		growth.WaitRateLimited, growth.WaitQuota, growth.WaitBudget, growth.WaitBreakersOpen, growth.WaitApproval, growth.WaitReconnect,
		growth.WaitPostingWindow, growth.WaitOutcomeUnknown,
	} {
		need("wait", string(w))
	}
}
