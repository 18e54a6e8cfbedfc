package tasks_test

import (
	"strings"
	"testing"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/content"
	"github.com/zakibelm/astrogrowth/internal/simulator"
	"github.com/zakibelm/astrogrowth/internal/testenv"
	"github.com/zakibelm/astrogrowth/tasks"
)

const earlierFR = "Le printemps ramène les terrasses du quartier, et nos voisins reprennent leurs habitudes du midi.\n\n" +
	"Nous ouvrons les portes dès le premier soleil, avec des chaises dépareillées et des nappes à carreaux.\n\n" +
	"Passez nous voir, la conversation est ouverte."

// refused is a brand that the machine would approve anything for, and a model that makes one mistake in every draft.
func refused(t *testing.T, p *plant, w *world, mistake simulator.FaultParams) (written, growth.Job) {
	t.Helper()
	w.fails(simulator.KindCareless, mistake, everyModel...)
	args := brief
	args.BrandID, args.AutoApprove = p.house(nil).ID, &tasks.AutoApprove{Threshold: 1}
	j := p.becomes(p.enqueue(args, growth.JobOptions{}), growth.JobSucceeded)
	return result[written](t, j), j
}

func TestWhatMustBeRefusedIsRefusedWithTheReason(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		mistake simulator.FaultParams
		rule    string
		reason  string
		before  func(p *plant)
	}{
		{"an invented number", simulator.FaultParams{Hint: simulator.HintNumber}, content.RuleNumbers, "9\u00a0417", nil},
		{"a banned claim", simulator.FaultParams{Hint: simulator.HintBanned}, content.RuleBanned, `"garanti"`, nil},
		{"a placeholder", simulator.FaultParams{Hint: simulator.HintPlaceholder}, content.RulePlaceholder, "[Votre nom]", nil},
		{"English in a French post", simulator.FaultParams{Hint: simulator.HintForeign}, content.RuleLanguage, "in English, asked for is French", nil},
		{"a model that speaks of itself", simulator.FaultParams{Hint: simulator.HintApology}, content.RuleApology, "en tant que modele", nil},
		{
			"a near copy of an earlier post",
			simulator.FaultParams{Hint: simulator.HintCopy, Message: earlierFR + "\n\nAmenez un ami."},
			content.RuleCloseness, "of an earlier post", func(p *plant) { p.posted(earlierFR) },
		},
		{
			"a post of another workspace",
			simulator.FaultParams{Hint: simulator.HintCopy, Message: earlierFR},
			content.RuleElsewhere, "a post of another workspace", func(p *plant) {
				other := testenv.Workspace(p.t, p.s)
				newPlantOn(p.t, p.s, other, p.rdb).posted(earlierFR)
			},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w, p := newWorld(t), newPlant(t)
			p.writes(w.chain())
			if tc.before != nil {
				tc.before(p)
			}
			out, j := refused(t, p, w, tc.mistake)
			v := out.Variants[0]
			fault := growth.Check{}
			for _, c := range v.Checks {
				if c.Rule == tc.rule {
					fault = c
				}
			}
			if fault.OK || !fault.Hard || !strings.Contains(fault.Detail, tc.reason) {
				t.Errorf("%s: %+v; want a hard fault with %q\n%s", tc.rule, fault, tc.reason, v.Body)
			}
			if v.Status != growth.ContentInReview || v.Score >= 50 {
				t.Errorf("status %s, score %d; want a person to look", v.Status, v.Score)
			}
			steps := map[string]int{}
			for _, c := range j.Calls {
				if c.Status == growth.CallOK {
					steps[c.Step]++
				}
			}
			if steps["revise"] != 1 || steps["rejudge"] != 1 {
				t.Errorf("steps %v; want one revision, judged", steps)
			}
			if auto := v.Checks[len(v.Checks)-1]; auto.Rule != "auto_approve" || auto.OK || !strings.Contains(auto.Detail, tc.rule) {
				t.Errorf("auto_approve = %+v; want the reason %s", auto, tc.rule)
			}
			if tc.rule == content.RuleElsewhere && strings.Contains(fault.Detail, "terrasses") {
				t.Errorf("the detail %q shows the other workspace's text", fault.Detail)
			}
		})
	}
}

// posted keeps an approved text as it would be kept after its publication.
func (p *plant) posted(body string) growth.Content {
	p.t.Helper()
	c := growth.Content{
		ID: growth.ContentID(growth.NewID()), Variant: 1, Version: 1, Body: body, Hashtags: []string{}, Language: "fr-CA",
		Status: growth.ContentApproved, Checks: []growth.Check{}, Sketch: content.SketchOf(body),
	}
	c.Hash = content.HashOf(c)
	c, _, err := p.sc.CreateContent(p.t.Context(), c, "tester")
	p.must(err)
	return c
}

func TestOneMistakeIsMendedByTheRevision(t *testing.T) {
	t.Parallel()
	w, p := newWorld(t), newPlant(t)
	p.writes(w.chain())
	args := brief
	args.BrandID = p.house(nil).ID
	sober := result[written](t, p.becomes(p.enqueue(args, growth.JobOptions{}), growth.JobSucceeded)).Variants[0]
	model := strings.TrimPrefix(sober.Model, "openrouter/")
	if _, err := w.sim.SetFault(simulator.Fault{
		Provider: simulator.OpenRouter, Model: model, Kind: simulator.KindCareless, Count: 1, Params: simulator.FaultParams{Hint: simulator.HintNumber},
	}); err != nil {
		t.Fatal(err)
	}
	args.Topic, args.AutoApprove = "Apprivoiser la pluie de juillet", &tasks.AutoApprove{}
	args.Brief = "Une toile tendue et des couvertures gardent la terrasse ouverte. Les clients restent au sec, le service continue."
	v := result[written](t, p.becomes(p.enqueue(args, growth.JobOptions{}), growth.JobSucceeded)).Variants[0]
	if !v.Revised || strings.Contains(v.Body, "417") || v.Status != growth.ContentApproved {
		t.Errorf("revised %v, status %s, checks %+v:\n%s", v.Revised, v.Status, v.Checks, v.Body)
	}
}

func TestTextIsPostedByTheAccountThatItWasApprovedForAlone(t *testing.T) {
	t.Parallel()
	p := newPress(t).runs()
	c := p.content("Bonjour", growth.ContentInReview)
	other := growth.AccountID(growth.NewID())
	c.AccountID = &other
	c.Hash = content.HashOf(c)
	c, err := p.sc.EditContent(t.Context(), c, "reviewer")
	p.must(err)
	_, err = p.sc.ApproveContent(t.Context(), c.ID, c.Hash, "reviewer")
	p.must(err)
	j := p.becomes(p.publish(c), growth.JobFailed)
	if j.Error == nil || !strings.Contains(j.Error.Message, string(other)) || len(p.w.posts()) != 0 {
		t.Errorf("error %+v, %d posts; want none: it was approved for another account", j.Error, len(p.w.posts()))
	}
	c.AccountID = &p.account.ID
	c.Hash = content.HashOf(c)
	c, err = p.sc.EditContent(t.Context(), c, "reviewer")
	p.must(err)
	id := p.publish(c)
	p.waits(id, growth.WaitApproval) // the account is part of what is approved
	_, err = p.sc.ApproveContent(t.Context(), c.ID, c.Hash, "reviewer")
	p.must(err)
	p.queue.Wake()
	p.becomes(id, growth.JobSucceeded)
}
