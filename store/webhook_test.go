package store_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/store"
)

// webhooks adds a source with a message, and a subscription that was told of an event.
func (o *owned) webhooks() {
	o.tb.Helper()
	o.source = o.bed.source("ours")
	o.arrived = o.arrives(o.source, "1", `{"a":1}`)[0].ID
	o.listener = o.listens()
	o.happens("x.happened", `{"n":1}`)
	made := o.dispatch()
	if len(made) == 0 {
		o.tb.Fatal("nothing was dispatched")
	}
	o.told = made[0].ID
}

func (b *bed) source(name string) growth.WebhookSource {
	b.tb.Helper()
	s, err := b.sc.AddSource(b.ctx, growth.WebhookSource{
		Name: name, Kind: "token", Enabled: true, Qualify: true, Mapping: map[string]string{"email": "mail"}, Events: []string{"lead"},
	}, func(id growth.SourceID) string { return "sealed for " + string(id) })
	b.must(err)
	return s
}

func (b *bed) arrives(s growth.WebhookSource, dedup string, bodies ...string) []store.Arrived {
	b.tb.Helper()
	var as []store.Arrival
	for i, body := range bodies {
		as = append(as, store.Arrival{Dedup: fmt.Appendf(nil, "%s %d", dedup, i), Event: "lead", Body: []byte(body)})
	}
	out, err := b.s.AddDeliveries(b.ctx, s, as)
	b.must(err)
	return out
}

func (b *bed) listens(types ...string) growth.Subscription {
	b.tb.Helper()
	s, err := b.sc.AddSubscription(b.ctx, growth.Subscription{URL: "https://x.example/hook", Types: types, Form: growth.FormStandard, Active: true},
		func(id growth.SubscriptionID) string { return "sealed for " + string(id) })
	b.must(err)
	return s
}

func (b *bed) happens(kind, data string) {
	b.tb.Helper()
	b.must(b.s.InTx(b.ctx, func(tx *store.Tx) error {
		return tx.AddEvent(b.ctx, b.ws.ID, "", store.NewEvent{Type: kind, Data: json.RawMessage(data)})
	}))
}

// dispatch moves every cursor to its end. Other tests' databases hold snapshots open on the same server, so events may
// be shown late: it waits until none of this workspace is held back.
func (b *bed) dispatch() []store.Outgoing {
	b.tb.Helper()
	var made []store.Outgoing
	b.shown()
	for {
		_, found, err := b.s.Dispatch(b.ctx, 2, func(s growth.Subscription, e growth.Event) (store.Outgoing, bool, error) {
			if len(s.Types) > 0 && s.Types[0] != e.Type {
				return store.Outgoing{}, false, nil
			}
			out := store.Outgoing{ID: growth.DeliveryID(growth.NewID()), Body: []byte(e.Type + string(e.Data))}
			made = append(made, out)
			return out, true, nil
		})
		b.must(err)
		if !found {
			return made
		}
	}
}

// shown waits until every event that was written is shown.
func (b *bed) shown() {
	b.tb.Helper()
	deadline := time.After(time.Minute)
	for b.count(`SELECT count(*) FROM events WHERE tx >= pg_snapshot_xmin(pg_current_snapshot())`) > 0 {
		select {
		case <-deadline:
			b.tb.Fatal("events are held back")
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func TestSourceKeepsItsSettings(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	s := b.source("form")
	got, err := b.sc.Source(b.ctx, s.ID)
	b.must(err)
	if diff := cmp.Diff(s, got); diff != "" {
		t.Errorf("read again (-made +read):\n%s", diff)
	}
	if len(got.Secrets) != 1 || got.Mapping["email"] != "mail" || got.Events[0] != "lead" || !got.Qualify {
		t.Errorf("source = %+v", got)
	}
	_, err = b.sc.AddSource(b.ctx, growth.WebhookSource{Name: "form", Kind: "token"}, func(growth.SourceID) string { return "" })
	wantCode(t, err, growth.Conflict)
	got, err = b.sc.ChangeSource(b.ctx, s.ID, func(s *growth.WebhookSource) error { s.Enabled, s.Mapping = false, nil; return nil })
	if err != nil || got.Enabled || len(got.Mapping) != 0 || len(got.Secrets) != 1 {
		t.Errorf("changed: %+v, %v", got, err)
	}
	_, _, err = b.s.CalledSource(b.ctx, s.ID)
	wantCode(t, err, growth.NotFound) // it is off
}

func TestTwoSecretsAreValidWhileOneIsReplaced(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	s := b.source("form")
	valid := func() (out []string) {
		_, sealed, err := b.s.CalledSource(b.ctx, s.ID)
		b.must(err)
		for _, k := range sealed {
			out = append(out, k.Sealed)
		}
		return out
	}
	first := "sealed for " + string(s.ID)
	for _, step := range []struct {
		secret string
		until  time.Time
		want   []string
	}{
		{"second", time.Now().Add(time.Hour), []string{"second", first}},
		{"third", time.Now().Add(time.Hour), []string{"third", "second", first}},
		{"fourth", time.Now(), []string{"fourth"}},
	} {
		_, err := b.sc.RotateSource(b.ctx, s.ID, step.secret, step.until)
		b.must(err)
		if diff := cmp.Diff(step.want, valid()); diff != "" {
			t.Errorf("after %s (-want +got):\n%s", step.secret, diff)
		}
	}
	_, err := b.sc.RotateSource(b.ctx, s.ID, "fifth", time.Now().Add(time.Hour))
	b.must(err)
	b.exec(`UPDATE webhook_sources SET secrets = replace(secrets::text, extract(year FROM now())::text || '-', '2020-')::jsonb`)
	if got := valid(); len(got) != 1 || got[0] != "fifth" {
		t.Errorf("when the old one has ended: %v", got)
	}
}

// However many calls bring the same message at once, it is kept once, and each is told its id.
func TestMessageIsKeptOnce(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	s := b.source("form")
	ids := make([]growth.DeliveryID, 20)
	known := make([]bool, len(ids))
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() {
			out, err := b.s.AddDeliveries(b.ctx, s, []store.Arrival{{Dedup: []byte("same"), Body: []byte(`{}`)}})
			if err != nil {
				t.Error(err)
				return
			}
			ids[i], known[i] = out[0].ID, out[0].Known
		})
	}
	wg.Wait()
	firsts := 0
	for i := range ids {
		if ids[i] != ids[0] {
			t.Errorf("ids %s and %s", ids[i], ids[0])
		}
		if !known[i] {
			firsts++
		}
	}
	if n := b.count(`SELECT count(*) FROM webhook_deliveries`); n != 1 || firsts != 1 {
		t.Errorf("%d rows, %d calls that were the first; want one of each", n, firsts)
	}
	other := b.source("another")
	if out, err := b.s.AddDeliveries(b.ctx, other, []store.Arrival{{Dedup: []byte("same"), Body: []byte(`{}`)}}); err != nil || out[0].Known {
		t.Errorf("the same digest at another source: %+v, %v", out, err)
	}
}

func (b *bed) takeIn(plan func(growth.WebhookSource, growth.WebhookDelivery) store.Intake) store.TookIn {
	b.tb.Helper()
	took, found, err := b.s.TakeIn(b.ctx, plan, always, keepOld)
	b.must(err)
	if !found {
		b.tb.Fatal("nothing waits")
	}
	return took
}

// wanted makes a lead and a job of every message.
func wanted(put store.LeadPut) func(growth.WebhookSource, growth.WebhookDelivery) store.Intake {
	return func(growth.WebhookSource, growth.WebhookDelivery) store.Intake {
		return store.Intake{Put: put, Job: func(l store.SavedLead) (*store.NewJob, error) {
			j := newJob(func(j *store.NewJob) { j.LeadID = l.Lead.ID })
			return &j, nil
		}}
	}
}

func TestMessageBecomesALeadAndAJobInOneCommit(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	s := b.source("form")
	id := b.arrives(s, "1", `{"mail":"a@b.test"}`)[0].ID
	_, _, err := b.s.TakeIn(b.ctx, func(growth.WebhookSource, growth.WebhookDelivery) store.Intake {
		return store.Intake{Put: named("Chez A", "a.ca"), Job: func(store.SavedLead) (*store.NewJob, error) { return nil, errors.New("killed") }}
	}, always, keepOld)
	if err == nil || b.count(`SELECT count(*) FROM leads`) != 0 {
		t.Fatalf("half of it was done: %v", err)
	}
	if took := b.takeIn(wanted(named("Chez A", "a.ca"))); took.State != growth.DeliveryProcessed || took.Delivery != id {
		t.Errorf("took in %+v", took)
	}
	d, err := b.sc.Delivery(b.ctx, id)
	b.must(err)
	if d.State != growth.DeliveryProcessed || d.LeadID == nil || d.JobID == nil || b.job(*d.JobID).State != growth.JobQueued || string(d.Body) != `{"mail":"a@b.test"}` {
		t.Errorf("delivery = %+v", d)
	}
	if _, found, err := b.s.TakeIn(b.ctx, wanted(named("Chez A", "a.ca")), always, keepOld); found || err != nil {
		t.Errorf("it is taken in twice: %v", err)
	}
}

func TestFailedMessageCanBeReplayed(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	s := b.source("form")
	id := b.arrives(s, "1", `{"x":1}`)[0].ID
	b.takeIn(func(growth.WebhookSource, growth.WebhookDelivery) store.Intake {
		return store.Intake{Fault: "lead.email: must be one e-mail address"}
	})
	d, err := b.sc.Delivery(b.ctx, id)
	if err != nil || d.State != growth.DeliveryFailed || !strings.Contains(d.Reason, "lead.email") {
		t.Fatalf("delivery = %+v, %v", d, err)
	}
	d, err = b.sc.ReplayDelivery(b.ctx, id)
	if err != nil || d.State != growth.DeliveryReceived || d.Reason != "" {
		t.Fatalf("replayed: %+v, %v", d, err)
	}
	b.takeIn(wanted(named("Chez A", "a.ca")))
	b.exec(`UPDATE webhook_deliveries SET body = NULL`)
	_, err = b.sc.ReplayDelivery(b.ctx, id)
	wantCode(t, err, growth.Conflict)
}

func TestMessageThatCannotBeStoredIsNotTriedForEver(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	id := b.arrives(b.source("form"), "1", `{}`)[0].ID
	for n := 1; n <= 10; n++ {
		d, err := b.sc.Delivery(b.ctx, id)
		if err != nil || d.State != growth.DeliveryReceived {
			t.Fatalf("before try %d: %+v, %v", n, d, err)
		}
		b.must(b.s.PutOffDelivery(b.ctx, id, time.Hour, "a fault of ours", false))
	}
	if d, err := b.sc.Delivery(b.ctx, id); err != nil || d.State != growth.DeliveryFailed || d.Reason == "" {
		t.Errorf("after ten tries: %+v, %v", d, err)
	}
}

func TestErasedLeadIsInNoMessage(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	s := b.source("form")
	put := store.LeadPut{Lead: growth.Lead{BusinessName: "Chez Ünal", ContactName: "Anna Ünal", Email: "anna@x.test"}, Keys: []store.LeadKey{{Kind: "email", Value: "anna@x.test", Sure: true}}}
	b.arrives(s, "linked", `{"who":"nobody knows"}`)
	b.takeIn(wanted(put))
	b.arrives(s, "failed", `{"name":"Anna \u00dcnal"}`, `{"MAIL":"ANNA@x.test"}`, `{"mail":"bob@x.test"}`)
	for range 3 {
		b.takeIn(func(growth.WebhookSource, growth.WebhookDelivery) store.Intake { return store.Intake{Fault: "x"} })
	}
	waits := b.arrives(s, "waits", `{"mail":"anna@x.test"}`, `{"name":"Anna Ünal","mail":"namesake@x.test"}`)
	leads, err := b.sc.Leads(b.ctx, store.LeadFilter{}, store.Page{})
	b.must(err)
	e, err := b.sc.EraseLead(b.ctx, leads[0].Lead.ID, "", nil)
	b.must(err)
	if e.Counts.Deliveries != 4 {
		t.Errorf("%d messages went, want 4", e.Counts.Deliveries)
	}
	var left []string
	all, err := b.sc.Deliveries(b.ctx, store.DeliveryFilter{}, store.Page{})
	b.must(err)
	for _, d := range all {
		full, err := b.sc.Delivery(b.ctx, d.ID)
		b.must(err)
		left = append(left, string(full.State)+string(full.Body))
	}
	want := []string{`received{"name":"Anna Ünal","mail":"namesake@x.test"}`, "erased", `failed{"mail":"bob@x.test"}`, "erased", "erased", "erased"}
	if diff := cmp.Diff(want, left); diff != "" {
		t.Errorf("what is left (-want +got):\n%s", diff)
	}
	// What comes again is recognised, and what it says is not kept.
	b.arrives(s, "again", `{"mail":"anna@x.test "}`)
	for range 2 {
		b.takeIn(wanted(put))
	}
	if d, err := b.sc.Delivery(b.ctx, waits[1].ID); err != nil || d.State != growth.DeliveryRefused || d.Body != nil {
		t.Errorf("an erased lead came in: %+v, %v", d, err)
	}
}

func TestPurgeForgetsBodiesBeforeDigests(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	s := b.source("form")
	b.arrives(s, "a", `{"n":0}`, `{"n":1}`, `{"n":2}`)
	for range 3 {
		b.takeIn(func(growth.WebhookSource, growth.WebhookDelivery) store.Intake { return store.Intake{Fault: "x"} })
	}
	b.exec(`UPDATE webhook_deliveries SET received_at = now() - CASE body WHEN '{"n":1}' THEN interval '15 days' WHEN '{"n":2}' THEN interval '91 days' ELSE '0' END`)
	_, err := b.s.Purge(b.ctx, 90*24*time.Hour)
	b.must(err)
	if rows, bodies := b.count(`SELECT count(*) FROM webhook_deliveries`), b.count(`SELECT count(body) FROM webhook_deliveries`); rows != 2 || bodies != 1 {
		t.Errorf("%d rows, %d bodies; want 2 and 1", rows, bodies)
	}
}

// Each event is told once to each subscription that wants it, whatever happens in between and however many look.
func TestEventsAreToldOnce(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.happens("a.before", `{}`)
	b.shown()
	all, some := b.listens(), b.listens("b.two")
	for range 5 {
		b.happens("a.one", `{}`)
		b.happens("b.two", `{}`)
	}
	b.shown()
	_, _, err := b.s.Dispatch(b.ctx, 100, func(growth.Subscription, growth.Event) (store.Outgoing, bool, error) {
		return store.Outgoing{}, false, errors.New("killed")
	})
	if err == nil {
		t.Fatal("no error")
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() { b.dispatch() })
	}
	wg.Wait()
	b.dispatch()
	for _, tc := range []struct {
		s    growth.Subscription
		want int
	}{{all, 10}, {some, 5}} {
		got, err := b.sc.SubscriptionDeliveries(b.ctx, tc.s.ID, "pending", store.Page{})
		if err != nil || len(got) != tc.want {
			t.Errorf("%v was told of %d, want %d: %v", tc.s.Types, len(got), tc.want, err)
		}
	}
	if n := b.count(`SELECT count(*) FROM jobs WHERE type = 'callback'`); n != 15 {
		t.Errorf("%d jobs, want one for each delivery", n)
	}
}

func TestEndedSubscriptionIsToldNothing(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	s := b.listens()
	b.happens("a.one", `{}`)
	id := b.dispatch()[0].ID
	for range 2 {
		b.must(b.s.InTx(b.ctx, func(tx *store.Tx) error { return tx.EndSubscription(b.ctx, b.ws.ID, s.ID, "gone") }))
	}
	if n := b.count(`SELECT count(*) FROM events WHERE type = 'subscription.disabled'`); n != 1 {
		t.Errorf("%d events say so, want one", n)
	}
	if made := b.dispatch(); len(made) != 0 {
		t.Errorf("it was told of %d", len(made))
	}
	_, err := b.sc.Redeliver(b.ctx, id)
	wantCode(t, err, growth.Conflict)
	back, err := b.sc.ChangeSubscription(b.ctx, s.ID, func(s *growth.Subscription) error { s.Active = true; return nil })
	if err != nil || !back.Active || back.DisabledReason != "" {
		t.Fatalf("active again: %+v, %v", back, err)
	}
	b.happens("a.two", `{}`)
	if made := b.dispatch(); len(made) != 1 || string(made[0].Body) != "a.two{}" {
		t.Errorf("told of %d; want what happens from now on", len(made))
	}
	if _, err := b.sc.Redeliver(b.ctx, id); err != nil {
		t.Errorf("redeliver: %v", err)
	}
	if n := b.count(`SELECT count(*) FROM jobs WHERE type = 'callback'`); n != 2 {
		t.Errorf("%d jobs; the first one is still on its way", n)
	}
}

func TestEraseReachesWhatSubscriptionsWereTold(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.listens()
	l := b.put(named("Chez A", "a.ca"))[0].Lead.ID
	b.happens("lead.qualified", fmt.Sprintf(`{"lead_id":%q}`, l))
	b.happens("other", `{"lead_id":"another"}`)
	b.dispatch()
	e, err := b.sc.EraseLead(b.ctx, l, "", nil)
	if err != nil || e.Counts.Told != 1 || b.count(`SELECT count(*) FROM subscription_deliveries`) != 1 {
		t.Errorf("receipt %+v, %v", e.Counts, err)
	}
}

func TestCallbackSecretsRotate(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	own, err := b.sc.CallbackSecret(b.ctx)
	b.must(err)
	b.must(b.sc.RotateCallbackSecret(b.ctx, []byte("second"), time.Now().Add(time.Hour)))
	both, err := b.sc.CallbackSecrets(b.ctx)
	if err != nil || len(both) != 2 || string(both[0]) != "second" || string(both[1]) != string(own) {
		t.Errorf("%q, %v", both, err)
	}
	// A request that is made again after a time-out ends nothing that the first one promised.
	b.must(b.sc.RotateCallbackSecret(b.ctx, []byte("again"), time.Now().Add(time.Minute)))
	three, err := b.sc.CallbackSecrets(b.ctx)
	if err != nil || len(three) != 3 || string(three[2]) != string(own) {
		t.Errorf("%q, %v", three, err)
	}
	for _, s := range []string{"4", "5"} {
		b.must(b.sc.RotateCallbackSecret(b.ctx, []byte(s), time.Now().Add(time.Minute)))
	}
	wantCode(t, b.sc.RotateCallbackSecret(b.ctx, []byte("6"), time.Now().Add(time.Minute)), growth.Conflict)
	b.must(b.sc.RotateCallbackSecret(b.ctx, []byte("third"), time.Now().Add(-time.Second)))
	one, err := b.sc.CallbackSecrets(b.ctx)
	if err != nil || len(one) != 1 || string(one[0]) != "third" {
		t.Errorf("%q, %v", one, err)
	}
	// What digests of erased leads are bound to stays.
	if again, err := b.sc.CallbackSecret(b.ctx); err != nil || string(again) != string(own) {
		t.Errorf("the workspace's own secret changed: %v", err)
	}
}

func TestSecondRotationOfASubscriptionEndsNoSecret(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	s := b.listens()
	long := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	for i, until := range []time.Time{long, time.Now().Add(time.Minute)} {
		got, err := b.sc.RotateSubscription(b.ctx, s.ID, fmt.Sprintf("sealed %d", i), until)
		b.must(err)
		if got.OldSecretUntil == nil || !got.OldSecretUntil.Equal(long) {
			t.Errorf("after rotation %d old secrets sign until %v, want %v", i, got.OldSecretUntil, long)
		}
	}
	b.happens("a.one", `{}`)
	b.dispatch()
	var id growth.DeliveryID
	b.must(b.db.QueryRowContext(b.ctx, `SELECT id FROM subscription_deliveries`).Scan(&id))
	out, err := b.sc.Outgoing(b.ctx, id)
	b.must(err)
	if len(out.Sealed) != 3 || out.Sealed[0] != "sealed 1" || out.Sealed[1] != "sealed 0" {
		t.Errorf("signed with %q; want the three that are valid", out.Sealed)
	}
}
