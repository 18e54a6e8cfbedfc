package tasks_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/store"
	"github.com/zakibelm/astrogrowth/tasks"
)

// summaries are the events that tell of finished runs.
func (p *plant) summaries() []map[string]any {
	p.t.Helper()
	events, err := p.sc.Events(p.t.Context(), 0, "", 1000)
	p.must(err)
	var out []map[string]any
	for _, e := range events {
		if e.Type != "campaign.completed" {
			continue
		}
		var m map[string]any
		p.must(json.Unmarshal(e.Data, &m))
		out = append(out, m)
	}
	return out
}

// ends waits until no job is under way.
func (p *plant) ends() {
	p.t.Helper()
	eventually(p.t, "every job has ended", func() bool {
		return p.count(`SELECT count(*) FROM jobs WHERE state NOT IN ('succeeded', 'failed', 'canceled')`) == 0
	})
}

func TestScheduleWritesItsWayThroughACampaign(t *testing.T) {
	t.Parallel()
	w, p := newWorld(t), newPlant(t)
	p.writes(w.chain())
	campaign, err := p.sc.EnsureCampaign(t.Context(), "printemps")
	p.must(err)
	args := tasks.ContentArgs{Language: "fr-CA", Batch: &tasks.Batch{Topics: append(slices.Clone(topics[:3]), topics[0]), Limit: 2}}
	input, err := json.Marshal(args)
	p.must(err)
	c := clockAt(t, "2027-01-04 09:30")
	p.schedules(c, func(s *growth.Schedule) { s.Input, s.Options.CampaignID = input, campaign.ID })
	for hour, want := range []int{2, 1, 0} {
		c.forward(time.Hour)
		p.must(p.scheduler(c).Pass(t.Context()))
		p.relay.Wake()
		p.ends()
		p.must(p.closesRuns())
		p.must(p.closesRuns()) // told once
		total := p.count(`SELECT count(*) FROM contents`)
		if wrote := []int{2, 3, 3}[hour]; total != wrote {
			t.Errorf("run %d: %d texts, want %d", hour, total, wrote)
		}
		got := p.summaries()
		if want == 0 {
			if len(got) != 2 {
				t.Errorf("a run without work told of itself: %v", got)
			}
			continue
		}
		last := got[len(got)-1]
		if len(got) != hour+1 || last["jobs"] != float64(want) || last["succeeded"] != float64(want) || last["contents"] != float64(want) ||
			last["in_review"] != float64(want) || last["campaign_id"] != string(campaign.ID) {
			t.Errorf("run %d: %v", hour, got)
		}
	}
	if n := p.count(`SELECT count(*) FROM contents WHERE campaign_id = $1`, campaign.ID); n != 3 {
		t.Errorf("%d texts belong to the campaign", n)
	}
}

func (p *plant) closesRuns() error {
	_, err := p.s.FinishBatches(p.t.Context())
	return err
}

func TestBatchTakesTheBestLeadsThatHaveNoText(t *testing.T) {
	t.Parallel()
	w, p := newWorld(t), newPlant(t)
	p.writes(w.chain())
	campaign, err := p.sc.EnsureCampaign(t.Context(), "leads")
	p.must(err)
	var ids []growth.LeadID
	for i, score := range []int{90, 80, 30} {
		l := bistro()
		l.ExternalID, l.BusinessName, l.Email, l.Website, l.Phone, l.Address = fmt.Sprint("x-", i), fmt.Sprint("Maison ", i), fmt.Sprintf("a%d@m%d.example", i, i), fmt.Sprintf("https://m%d.example", i), "", ""
		saved, err := p.sc.PutLeads(t.Context(), []store.LeadPut{{Lead: l, Keys: tasks.LeadKeys(l), Campaign: campaign.ID}}, func(growth.Lead, growth.Lead) bool { return false }, func(old, _ growth.Lead) growth.Lead { return old })
		p.must(err)
		ids = append(ids, saved[0].Lead.ID)
		p.exec(`UPDATE leads SET score = $2 WHERE id = $1`, saved[0].Lead.ID, score)
	}
	run := func() int {
		args := tasks.ContentArgs{Brief: "Un audit gratuit de la terrasse, offert en mai.", Language: "fr-CA", Batch: &tasks.Batch{Leads: &tasks.BatchLeads{MinScore: 50}, Limit: 1}}
		j := p.becomes(p.enqueue(args, growth.JobOptions{CampaignID: campaign.ID}), growth.JobSucceeded)
		p.ends()
		return result[struct{ Enqueued int }](t, j).Enqueued
	}
	for i, want := range []int{1, 1, 0} {
		if got := run(); got != want {
			t.Errorf("run %d enqueued %d, want %d", i, got, want)
		}
	}
	for i, want := range []int{1, 1, 0} {
		if n := p.count(`SELECT count(*) FROM contents WHERE lead_id = $1`, ids[i]); n != want {
			t.Errorf("lead %d has %d texts, want %d", i, n, want)
		}
	}
}

func TestBatchCountsWhatFailedAndWaitsForTheRest(t *testing.T) {
	t.Parallel()
	p := newPlant(t) // nobody works
	campaign, err := p.sc.EnsureCampaign(t.Context(), "x")
	p.must(err)
	by := p.enqueue(brief, growth.JobOptions{})
	options, err := tasks.FillOptions(growth.JobContentGeneration, growth.JobOptions{CampaignID: campaign.ID})
	p.must(err)
	items := []store.BatchItem{}
	for _, topic := range topics[:2] {
		items = append(items, store.BatchItem{Job: store.NewJob{Type: growth.JobContentGeneration, Input: json.RawMessage(`{"topic":"x"}`), Options: options}, TopicHash: topic})
	}
	p.must(p.s.InTx(t.Context(), func(tx *store.Tx) error { return tx.AddBatch(t.Context(), p.ws.ID, by, campaign.ID, items) }))
	p.exec(`UPDATE jobs SET state = 'failed', finished_at = now() WHERE campaign_id = $1 AND id = (SELECT min(id::text)::uuid FROM jobs WHERE campaign_id = $1)`, campaign.ID)
	p.must(p.closesRuns())
	if got := p.summaries(); len(got) != 0 {
		t.Fatalf("told before the end: %v", got)
	}
	p.exec(`UPDATE jobs SET state = 'canceled', finished_at = now() WHERE campaign_id = $1 AND state = 'queued'`, campaign.ID)
	p.must(p.closesRuns())
	got := p.summaries()
	if len(got) != 1 || got[0]["failed"] != 1.0 || got[0]["canceled"] != 1.0 || got[0]["jobs"] != 2.0 || got[0]["job_id"] != string(by) {
		t.Errorf("summaries = %v", got)
	}
}

func TestBatchesAreChecked(t *testing.T) {
	t.Parallel()
	for field, args := range map[string]tasks.ContentArgs{
		"batch":                 {Batch: &tasks.Batch{}},
		"batch.limit":           {Batch: &tasks.Batch{Topics: topics, Limit: 201}},
		"batch.topics[1]":       {Batch: &tasks.Batch{Topics: []string{"a", ""}}},
		"batch.leads.priority":  {Batch: &tasks.Batch{Leads: &tasks.BatchLeads{Priority: "urgent"}}},
		"batch.leads.min_score": {Batch: &tasks.Batch{Leads: &tasks.BatchLeads{MinScore: 101}}},
		"brand_id":              {Topic: "x", BrandID: "7"},
		"brand.name":            {Topic: "x", Brand: &growth.Brand{}},
		"tone":                  {Topic: "x", Tone: string(make([]byte, 1001))},
	} {
		if e := asError(args.Validate()); e.Code != growth.Invalid || e.Field != field {
			t.Errorf("%s: %v (%s)", field, e, e.Field)
		}
	}
	if e := asError(tasks.ContentArgs{Batch: &tasks.Batch{Topics: topics}}.CheckCampaign("")); e.Field != "campaign_id" {
		t.Errorf("a batch of no campaign: %v", e)
	}
}
