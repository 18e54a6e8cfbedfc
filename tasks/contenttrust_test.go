package tasks_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/content"
	"github.com/zakibelm/astrogrowth/router"
	"github.com/zakibelm/astrogrowth/tasks"
)

// writesOne runs one content job and gives its text.
func (p *plant) writesOne(args tasks.ContentArgs) growth.Content {
	p.t.Helper()
	var out written
	p.must(json.Unmarshal(p.becomes(p.enqueue(args, growth.JobOptions{}), growth.JobSucceeded).Result, &out))
	c, err := p.sc.Content(p.t.Context(), out.Variants[0].ContentID)
	p.must(err)
	return c
}

// topics are briefs that make posts far enough from each other.
var topics = []string{"Calmer un enfant avant le dentiste", "Vendre sa maison en hiver", "Moins de saisie pour les petites équipes", "Remplir la terrasse en semaine"}

func TestTrustIsEarnedByPeoplesApprovals(t *testing.T) {
	t.Parallel()
	w, p := newWorld(t), newPlant(t)
	p.writes(w.chain())
	two := 2
	brand := p.house(func(b *growth.Brand) { b.TrustAfter = &two })
	want := []growth.ContentStatus{growth.ContentInReview, growth.ContentInReview, growth.ContentInReview, growth.ContentApproved}
	for i, topic := range topics {
		c := p.writesOne(tasks.ContentArgs{BrandID: brand.ID, Topic: topic, Language: "fr-CA", AutoApprove: &tasks.AutoApprove{Threshold: 1}})
		if c.Status != want[i] {
			t.Fatalf("post %d is %s, want %s: %+v", i, c.Status, want[i], c.Checks)
		}
		if c.Status == growth.ContentApproved {
			break
		}
		var err error
		if i == 1 { // a rejection earns nothing
			_, err = p.sc.RejectContent(t.Context(), c.ID, c.Hash, "too dry")
		} else {
			_, err = p.sc.ApproveContent(t.Context(), c.ID, c.Hash, "reviewer")
			p.must(err)
			_, err = p.sc.ApproveContent(t.Context(), c.ID, c.Hash, "reviewer") // twice is once
		}
		p.must(err)
	}
	if b, err := p.sc.Brand(t.Context(), brand.ID); err != nil || b.Trusted != 2 {
		t.Errorf("trusted posts = %d, %v; the machine's own approval does not count", b.Trusted, err)
	}
}

func TestBrandThatComesWithTheJobIsNeverTrusted(t *testing.T) {
	t.Parallel()
	w, p := newWorld(t), newPlant(t)
	p.writes(w.chain())
	none := 0
	args := brief
	args.Brand, args.AutoApprove = &growth.Brand{Name: "Atelier", Trusted: 99, TrustAfter: &none}, &tasks.AutoApprove{Threshold: 1}
	if c := p.writesOne(args); c.Status != growth.ContentInReview || !strings.Contains(c.Checks[len(c.Checks)-1].Detail, "came with the job") {
		t.Errorf("%s: %+v", c.Status, c.Checks)
	}
}

func TestDefaultBrandWritesWhereNoneIsNamed(t *testing.T) {
	t.Parallel()
	w, p := newWorld(t), newPlant(t)
	heard := w.listens()
	p.writes(w.chain())
	p.house(func(b *growth.Brand) { b.Name, b.Voice = "Maison Bleue", "sobre et net" })
	other := p.house(func(b *growth.Brand) { b.Name, b.Voice = "Maison Rouge", "vif et drôle" })
	p.writesOne(brief)
	if sent := strings.Join(heard(), "\n"); !strings.Contains(sent, "sobre et net") || strings.Contains(sent, "vif et dr") {
		t.Errorf("the default brand did not speak")
	}
	args := tasks.ContentArgs{BrandID: other.ID, Topic: topics[0]}
	p.writesOne(args)
	if sent := strings.Join(heard(), "\n"); !strings.Contains(sent, "vif et dr") {
		t.Error("the brand that was named did not speak")
	}
}

func TestReasonsOfRejectionsAreToldToTheNextDraft(t *testing.T) {
	t.Parallel()
	w, p := newWorld(t), newPlant(t)
	heard := w.listens()
	p.writes(w.chain())
	brand, other := p.house(nil), p.house(func(b *growth.Brand) { b.Name = "Autre" })
	args := brief
	args.BrandID = brand.ID
	c := p.writesOne(args)
	_, err := p.sc.RejectContent(t.Context(), c.ID, c.Hash, "ne parlez jamais de la météo")
	p.must(err)
	p.writesOne(tasks.ContentArgs{BrandID: other.ID, Topic: topics[0]})
	if strings.Contains(strings.Join(heard(), "\n"), "jamais de la m") {
		t.Error("another brand's draft was told")
	}
	p.writesOne(tasks.ContentArgs{BrandID: brand.ID, Topic: topics[1]})
	if sent := strings.Join(heard(), "\n"); !strings.Contains(sent, "jamais de la m") || !strings.Contains(sent, "lessons") {
		t.Error("the brand's next draft was not told")
	}
}

// route puts one family before all others of a task, or in their place.
func route(task growth.TaskType, only bool, c router.Candidate) func(*router.Config) {
	return func(cfg *router.Config) {
		r := cfg.Routes[task]
		r.Candidates = append([]router.Candidate{c}, r.Candidates...)
		if only {
			r.Candidates = r.Candidates[:1]
		}
		cfg.Routes[task] = r
	}
}

var sonnet = router.Candidate{Family: "claude-sonnet", Provider: "openrouter", Slugs: []string{"anthropic/claude-sonnet-4", "anthropic/claude-sonnet-4.5"}}

func TestAnotherModelJudgesWhateverTheRouteSays(t *testing.T) {
	t.Parallel()
	w, p := newWorld(t), newPlant(t)
	p.writes(w.chain(route(growth.TaskVerification, false, sonnet)))
	c := p.writesOne(brief)
	if router.Lineage(c.Model) != "claude-sonnet" || router.Lineage(c.JudgeModel) == "claude-sonnet" {
		t.Errorf("%s judged what %s wrote", c.JudgeModel, c.Model)
	}
}

func TestModelThatJudgesItselfNeedsAPerson(t *testing.T) {
	t.Parallel()
	w, p := newWorld(t), newPlant(t)
	p.writes(w.chain(route(growth.TaskVerification, true, sonnet), route(growth.TaskContent, true, sonnet)))
	args := brief
	args.BrandID, args.AutoApprove = p.house(nil).ID, &tasks.AutoApprove{Threshold: 1}
	c := p.writesOne(args)
	i := slices.IndexFunc(c.Checks, func(k growth.Check) bool { return k.Rule == content.RuleSameModel })
	if i < 0 || c.Checks[i].OK || c.Status != growth.ContentInReview {
		t.Errorf("%s: %+v", c.Status, c.Checks)
	}
}

func TestContentEventsSayWhatBecameOfTheTexts(t *testing.T) {
	t.Parallel()
	w, p := newWorld(t), newPlant(t)
	p.writes(w.chain())
	args := brief
	args.BrandID, args.AutoApprove = p.house(nil).ID, &tasks.AutoApprove{}
	c := p.writesOne(args)
	events, err := p.sc.Events(t.Context(), 0, *c.JobID, 100)
	p.must(err)
	kinds := map[string]string{}
	for _, e := range events {
		kinds[e.Type] = string(e.Data)
	}
	if !strings.Contains(kinds["content.ready"], string(c.ID)) || !strings.Contains(kinds["content.approved"], `"machine": true`) {
		t.Errorf("events = %v", kinds)
	}
	if content.InAudit(c.Hash) != (c.Audit == growth.AuditOpen) {
		t.Errorf("audit = %q for the hash %s", c.Audit, c.Hash)
	}
}
