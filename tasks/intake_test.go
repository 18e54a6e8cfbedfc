package tasks_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/rs/zerolog"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/webhook"
	"github.com/zakibelm/astrogrowth/store"
	"github.com/zakibelm/astrogrowth/tasks"
)

// door is a plant with a source of webhooks.
type door struct {
	*plant
	source growth.WebhookSource
	intake *tasks.Intake
}

func newDoor(t *testing.T, kind webhook.Kind, change ...func(*growth.WebhookSource)) door {
	t.Helper()
	p := newPlant(t)
	return door{plant: p, source: p.source(kind, change...), intake: tasks.NewIntake(p.s, p.relay, zerolog.Nop())}
}

func (p *plant) source(kind webhook.Kind, change ...func(*growth.WebhookSource)) growth.WebhookSource {
	p.t.Helper()
	s := growth.WebhookSource{Name: "form " + string(kind), Kind: string(kind), Enabled: true, Qualify: true}
	for _, f := range change {
		f(&s)
	}
	p.must(tasks.CheckSource(s))
	s, err := p.sc.AddSource(p.t.Context(), s, func(growth.SourceID) string { return "sealed" })
	p.must(err)
	return s
}

// takes brings a body in and makes of it what is to be made.
func (d door) takes(body string) growth.WebhookDelivery {
	d.t.Helper()
	got := d.brings(body)
	d.must(d.intake.Pass(d.t.Context()))
	return d.delivery(got.ID)
}

func (d door) brings(body string) store.Arrived {
	d.t.Helper()
	as, err := tasks.Arrivals(d.source, webhook.Call{Header: http.Header{}, Body: []byte(body)})
	d.must(err)
	got, err := d.s.AddDeliveries(d.t.Context(), d.source, as)
	d.must(err)
	return got[0]
}

func (d door) delivery(id growth.DeliveryID) growth.WebhookDelivery {
	d.t.Helper()
	out, err := d.sc.Delivery(d.t.Context(), id)
	d.must(err)
	return out
}

func TestWebhookBecomesALeadThatIsScored(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := newDoor(t, webhook.KindTypeform)
	tasks.AddWorker(d.runner, tasks.QualifyWorker{Store: d.s, Chain: w.chain()})
	d.relays().serves(growth.JobLeadQualification)
	got := d.takes(`{"event_id":"1","event_type":"form_response","form_response":{"token":"tok","answers":[
		{"type":"email","email":"ada@bistro.test","field":{"ref":"q"}},{"type":"text","text":"Bistro Ada","field":{"ref":"business_name"}},
		{"type":"text","text":"Veut plus d'avis","field":{"ref":"notes"}}]}}`)
	if got.State != growth.DeliveryProcessed || got.LeadID == nil || got.JobID == nil {
		t.Fatalf("delivery = %+v", got)
	}
	d.becomes(*got.JobID, growth.JobSucceeded)
	l, err := d.sc.Lead(t.Context(), *got.LeadID)
	d.must(err)
	if l.Lead.Email != "ada@bistro.test" || l.Lead.BusinessName != "Bistro Ada" || l.Lead.Source != "typeform" || l.Lead.ExternalID != "typeform:tok" || l.Score == nil {
		t.Errorf("lead = %+v", l)
	}
}

func TestSameLeadByTwoWebhooksIsOneLead(t *testing.T) {
	t.Parallel()
	d := newDoor(t, webhook.KindToken)
	one := d.takes(`{"email":"Ada@Bistro.test","company":"Bistro Ada"}`)
	two := d.takes(`{"email":"ada@bistro.test","phone":"514 555 0100"}`)
	if one.LeadID == nil || two.LeadID == nil || *one.LeadID != *two.LeadID {
		t.Fatalf("leads of %+v and %+v", one, two)
	}
	if again := d.brings(`{"email":"ada@bistro.test","phone":"514 555 0100"}`); !again.Known || again.ID != two.ID {
		t.Errorf("the same message again: %+v", again)
	}
	if n := d.count(`SELECT count(*) FROM jobs`); n != 2 {
		t.Errorf("%d jobs, want 2", n)
	}
}

func TestMessageOfNoUseSaysWhyAndIsReplayed(t *testing.T) {
	t.Parallel()
	d := newDoor(t, webhook.KindToken, func(s *growth.WebhookSource) { s.Mapping = map[string]string{"email": "who"} })
	got := d.takes(`{"who":"nobody@","mail":"ada@bistro.test"}`)
	if got.State != growth.DeliveryFailed || !strings.Contains(got.Reason, "lead.email") || strings.Contains(got.Reason, "nobody@") {
		t.Fatalf("delivery = %+v", got)
	}
	_, err := d.sc.ChangeSource(t.Context(), d.source.ID, func(s *growth.WebhookSource) error { s.Mapping["email"] = "mail"; return nil })
	d.must(err)
	_, err = d.sc.ReplayDelivery(t.Context(), got.ID)
	d.must(err)
	d.must(d.intake.Pass(t.Context()))
	if now := d.delivery(got.ID); now.State != growth.DeliveryProcessed || now.Reason != "" {
		t.Errorf("after the replay: %+v", now)
	}
}

func TestOtherEventsAreDroppedAndSaidSo(t *testing.T) {
	t.Parallel()
	d := newDoor(t, webhook.KindCalendly)
	got := d.takes(`{"event":"invitee.canceled","created_at":"x","payload":{"uri":"u","email":"ada@bistro.test"}}`)
	if got.State != growth.DeliveryDropped || got.Reason == "" || got.Body != nil || got.Event != "invitee.canceled" {
		t.Errorf("delivery = %+v", got)
	}
	if n := d.count(`SELECT count(*) FROM leads`); n != 0 {
		t.Errorf("%d leads", n)
	}
}

// A contact of whom only the number is known is kept, and there is nothing to score yet.
func TestThinLeadIsKeptWithoutAScore(t *testing.T) {
	t.Parallel()
	d := newDoor(t, webhook.KindHubSpot)
	got := d.takes(`[{"eventId":1,"subscriptionType":"contact.creation","objectId":987654,"occurredAt":5,"subscriptionId":4}]`)
	if got.State != growth.DeliveryProcessed || got.LeadID == nil || got.JobID != nil {
		t.Errorf("delivery = %+v", got)
	}
}

func TestErasedLeadIsNotTakenInByWebhook(t *testing.T) {
	t.Parallel()
	d := newDoor(t, webhook.KindToken)
	first := d.takes(`{"email":"ada@bistro.test","name":"Ada"}`)
	im := tasks.Importer{Store: d.s, Queue: d.queue, Cache: forgetful{}}
	e, err := im.Erase(t.Context(), d.ws.ID, *first.LeadID, "")
	d.must(err)
	if e.Counts.Deliveries != 1 || d.delivery(first.ID).Body != nil {
		t.Errorf("the receipt is %+v and the message is %+v", e.Counts, d.delivery(first.ID))
	}
	again := d.takes(`{"email":"ada@bistro.test","name":"Ada again"}`)
	if again.State != growth.DeliveryRefused || again.Body != nil || again.LeadID != nil {
		t.Errorf("delivery = %+v", again)
	}
}

// Several intakes share the work, and each message is taken in once.
func TestBurstIsTakenInOnce(t *testing.T) {
	t.Parallel()
	d := newDoor(t, webhook.KindToken)
	const n = 60
	for i := range n {
		d.brings(`{"email":"a` + string(rune('a'+i%26)) + string(rune('a'+i/26)) + `@x.test"}`)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() { tasks.NewIntake(d.s, d.relay, zerolog.Nop()).Run(ctx) })
	}
	eventually(t, "all are taken in", func() bool {
		return d.count(`SELECT count(*) FROM webhook_deliveries WHERE state = 'processed'`) == n
	})
	cancel()
	wg.Wait()
	if leads, jobs := d.count(`SELECT count(*) FROM leads`), d.count(`SELECT count(*) FROM jobs`); leads != n || jobs != n {
		t.Errorf("%d leads, %d jobs; want %d of each", leads, jobs, n)
	}
}

func TestIntakeIsWokenUp(t *testing.T) {
	t.Parallel()
	d := newDoor(t, webhook.KindToken)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { d.intake.Run(ctx) })
	defer func() { cancel(); wg.Wait() }()
	id := d.brings(`{"email":"ada@bistro.test"}`).ID
	d.intake.Wake()
	eventually(t, "it is taken in", func() bool { return d.delivery(id).State == growth.DeliveryProcessed })
}

func TestPreviewShowsTheLeadAndWritesNothing(t *testing.T) {
	t.Parallel()
	d := newDoor(t, webhook.KindToken, func(s *growth.WebhookSource) { s.Mapping = map[string]string{"google_rating": "stars"} })
	got, err := tasks.PreviewMessages(d.source, []byte(`{"email":"ada@bistro.test","stars":"many"}`))
	d.must(err)
	if len(got) != 1 || got[0].Lead == nil || got[0].Lead.Email != "ada@bistro.test" || !got[0].Qualify || len(got[0].Warnings) != 1 {
		t.Errorf("preview = %+v", got)
	}
	got, err = tasks.PreviewMessages(d.source, []byte(`{"city":"Laval"}`))
	if err != nil || got[0].Lead != nil || !strings.Contains(got[0].Problem, "say who the lead is") {
		t.Errorf("preview = %+v, %v", got, err)
	}
	if n := d.count(`SELECT count(*) FROM leads`) + d.count(`SELECT count(*) FROM webhook_deliveries`); n != 0 {
		t.Errorf("%d rows were written", n)
	}
}

func TestCheckSource(t *testing.T) {
	t.Parallel()
	good := growth.WebhookSource{Name: "form", Kind: "hmac"}
	for _, tc := range []struct {
		change func(*growth.WebhookSource)
		field  string
	}{
		{func(*growth.WebhookSource) {}, ""},
		{func(s *growth.WebhookSource) { s.Header, s.ToleranceS, s.DedupPath = "X-Sig", 900, "id" }, ""},
		{func(s *growth.WebhookSource) {
			s.Mapping = map[string]string{"extra.budget": "a.b", "consent.basis": `="form"`}
		}, ""},
		{func(s *growth.WebhookSource) { s.Name = "" }, "name"},
		{func(s *growth.WebhookSource) { s.Kind = "md5" }, "kind"},
		{func(s *growth.WebhookSource) { s.Kind, s.Header = "typeform", "X-Sig" }, "header"},
		{func(s *growth.WebhookSource) { s.Header = "X Sig" }, "header"},
		{func(s *growth.WebhookSource) { s.ToleranceS = 901 }, "tolerance_s"},
		{func(s *growth.WebhookSource) { s.Kind, s.ToleranceS = "token", 5 }, "tolerance_s"},
		{func(s *growth.WebhookSource) { s.Events = make([]string, 51) }, "events"},
		{func(s *growth.WebhookSource) { s.CampaignID = "x" }, "campaign_id"},
		{func(s *growth.WebhookSource) { s.DedupPath = "a[" }, "dedup_path"},
		{func(s *growth.WebhookSource) { s.Mapping = map[string]string{"email": "a..b"} }, "mapping.email"},
		{func(s *growth.WebhookSource) { s.Mapping = map[string]string{"e_mail": "a"} }, "mapping.e_mail"},
	} {
		s := good
		tc.change(&s)
		err, field := tasks.CheckSource(s), ""
		if e, ok := err.(*growth.Error); ok { //nolint:errorlint // made there
			field = e.Field
		}
		if field != tc.field || (err == nil) != (tc.field == "") {
			t.Errorf("%+v: %v; want the field %q named", s, err, tc.field)
		}
	}
}
