package tasks_test

import (
	"strings"
	"testing"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/content"
	"github.com/zakibelm/astrogrowth/tasks"
)

// The jobs of a run begin together, so that none of them finds the others' texts when it begins.
func TestMachineApprovesNoTextTwiceInOneRun(t *testing.T) {
	t.Parallel()
	w, p := newWorld(t), newPlant(t)
	args := goldenBriefs["restaurant, French"]
	args.BrandID, args.AutoApprove = p.house(nil).ID, &tasks.AutoApprove{}
	const jobs = 4
	var ids []growth.JobID
	for range jobs {
		ids = append(ids, p.enqueue(args, growth.JobOptions{}))
	}
	p.writes(w.chain())
	approved, repeats := map[string]int{}, 0
	for _, id := range ids {
		v := result[written](t, p.becomes(id, growth.JobSucceeded)).Variants[0]
		c, err := p.sc.Content(t.Context(), v.ContentID)
		p.must(err)
		if c.Status != v.Status || c.Score != v.Score {
			t.Errorf("the result says %s with score %d, the content %s with %d", v.Status, v.Score, c.Status, c.Score)
		}
		if told := p.count(`SELECT count(*) FROM events WHERE job_id = $1 AND type = 'content.approved'`, id); told != map[bool]int{true: 1}[v.Status == growth.ContentApproved] {
			t.Errorf("%d events tell of an approval; the text is %s", told, v.Status)
		}
		if v.Status == growth.ContentApproved {
			approved[v.Body]++
			continue
		}
		for _, k := range v.Checks {
			if k.Rule == content.RuleCloseness && !k.OK && strings.Contains(v.Checks[len(v.Checks)-1].Detail, content.RuleCloseness) {
				repeats++
			}
		}
	}
	total := 0
	for body, n := range approved {
		if n > 1 {
			t.Errorf("%d times the same text was approved: %.80q", n, body)
		}
		total += n
	}
	if total == 0 || total+repeats != jobs {
		t.Errorf("%d approved, %d held back as repetitions, of %d", total, repeats, jobs)
	}
}
