package tasks_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/seal"
	"github.com/zakibelm/astrogrowth/internal/webhook"
	"github.com/zakibelm/astrogrowth/store"
	"github.com/zakibelm/astrogrowth/tasks"
)

// herald is a plant that tells subscriptions of events.
type herald struct {
	*plant
	ring     *seal.Keyring
	dispatch *tasks.Dispatcher
}

func newHerald(t *testing.T, hosts ...string) herald {
	t.Helper()
	p := newPlant(t)
	ring, err := seal.New(seal.NewKey())
	p.must(err)
	client := tasks.CallbackClient(hosts)
	t.Cleanup(client.CloseIdleConnections)
	tasks.AddWorker(p.runner, tasks.CallbackWorker{Store: p.s, Client: client, Open: ring.Open, Show: func(j growth.Job) growth.Job { return j }})
	p.relays().serves(growth.JobCallback)
	return herald{p, ring, &tasks.Dispatcher{Store: p.s, Relay: p.relay}}
}

func (p herald) subscribes(address, form string, types ...string) (growth.Subscription, []byte) {
	p.t.Helper()
	secret := webhook.NewSecret()
	s, err := p.sc.AddSubscription(p.t.Context(), growth.Subscription{URL: address, Types: types, Form: form, Active: true},
		func(id growth.SubscriptionID) string { return p.ring.Seal(secret, string(id)) })
	p.must(err)
	return s, secret
}

// happens writes an event and dispatches until it was told: transactions of other tests hold events back.
func (p herald) happens(kind, data string) {
	p.t.Helper()
	p.must(p.s.InTx(p.t.Context(), func(tx *store.Tx) error {
		return tx.AddEvent(p.t.Context(), p.ws.ID, "", store.NewEvent{Type: kind, Data: json.RawMessage(data)})
	}))
	eventually(p.t, "the event is shown", func() bool {
		return p.count(`SELECT count(*) FROM events WHERE tx >= pg_snapshot_xmin(pg_current_snapshot())`) == 0
	})
	p.must(p.dispatch.Pass(p.t.Context()))
}

// reaches waits until a subscription's newest delivery is in a state.
func (p herald) reaches(s growth.Subscription, state string, attempts int) growth.SubscriptionDelivery {
	p.t.Helper()
	var d growth.SubscriptionDelivery
	eventually(p.t, "the delivery is "+state, func() bool {
		list, err := p.sc.SubscriptionDeliveries(p.t.Context(), s.ID, "", store.Page{})
		p.must(err)
		if len(list) == 0 {
			return false
		}
		d = list[0]
		return d.State == state && d.Attempts >= attempts
	})
	return d
}

func accepts(t *testing.T, secret []byte, c call) {
	t.Helper()
	verifier, err := standardwebhooks.NewWebhook(webhook.Secret(secret))
	if err != nil {
		t.Fatal(err)
	}
	if err := verifier.Verify(c.Body, c.Header); err != nil {
		t.Errorf("the standard library refuses it: %v", err)
	}
}

func TestSubscriptionIsToldOfWhatItWants(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, status(http.StatusOK))
	p := newHerald(t, "127.0.0.1")
	s, secret := p.subscribes(r.URL+"/hook", growth.FormStandard, "post.*", "job.failed")
	p.happens("job.succeeded", `{"n":1}`)
	p.happens("post.published", `{"urn":"urn:li:share:7"}`)
	d := p.reaches(s, "delivered", 1)
	if d.Status == nil || *d.Status != 200 || d.Type != "post.published" || d.EndedAt == nil || d.NextAt != nil {
		t.Errorf("delivery = %+v", d)
	}
	got := r.got()
	if len(got) != 1 {
		t.Fatalf("%d calls, want one", len(got))
	}
	accepts(t, secret, got[0])
	var body struct {
		Type      string            `json:"type"`
		Timestamp time.Time         `json:"timestamp"`
		EventID   string            `json:"event_id"`
		Data      map[string]string `json:"data"`
	}
	p.must(json.Unmarshal(got[0].Body, &body))
	if body.Type != "post.published" || body.Data["urn"] != "urn:li:share:7" || body.Timestamp.IsZero() || body.EventID == "" {
		t.Errorf("body = %s", got[0].Body)
	}
}

func TestFailedDeliveryIsSentAgainAsItWas(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, func(n int, w http.ResponseWriter) {
		if n == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	p := newHerald(t, "127.0.0.1")
	s, secret := p.subscribes(r.URL, growth.FormStandard)
	p.happens("a.thing", `{"n":1}`)
	d := p.reaches(s, "pending", 1)
	if d.Status == nil || *d.Status != 503 || d.Code != "unavailable" || d.NextAt == nil || d.NextAt.Before(d.CreatedAt) {
		t.Errorf("after the first attempt: %+v", d)
	}
	eventually(t, "asynq holds it", func() bool { return len(p.inRetry("callbacks")) == 1 })
	p.must(p.inspect.RunTask("callbacks", p.inRetry("callbacks")[0].ID))
	p.reaches(s, "delivered", 2)
	_, err := p.sc.Redeliver(t.Context(), d.ID)
	p.must(err)
	p.queue.Wake()
	p.reaches(s, "delivered", 3)
	got := r.got()
	if len(got) != 3 {
		t.Fatalf("%d calls, want 3", len(got))
	}
	for _, c := range got {
		accepts(t, secret, c)
		if c.Header.Get("Webhook-Id") != "msg_"+string(d.ID) || string(c.Body) != string(got[0].Body) {
			t.Errorf("call %s %s; want the same id and bytes each time", c.Header.Get("Webhook-Id"), c.Body)
		}
	}
}

func TestBothSecretsSignWhileOneIsReplaced(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, status(http.StatusOK))
	p := newHerald(t, "127.0.0.1")
	s, old := p.subscribes(r.URL, growth.FormStandard)
	secret := webhook.NewSecret()
	_, err := p.sc.RotateSubscription(t.Context(), s.ID, p.ring.Seal(secret, string(s.ID)), time.Now().Add(time.Hour))
	p.must(err)
	p.happens("a.thing", `{}`)
	p.reaches(s, "delivered", 1)
	accepts(t, secret, r.got()[0])
	accepts(t, old, r.got()[0])
	p.exec(`UPDATE subscriptions SET secrets_former = jsonb_set(secrets_former, '{0,until}', to_jsonb(now() - interval '1 second'))`)
	p.happens("a.thing", `{}`)
	eventually(t, "the second call", func() bool { return len(r.got()) == 2 })
	accepts(t, secret, r.got()[1])
	verifier, err := standardwebhooks.NewWebhook(webhook.Secret(old))
	p.must(err)
	if verifier.Verify(r.got()[1].Body, r.got()[1].Header) == nil {
		t.Error("the old secret signs after its time")
	}
}

func TestSubscriptionEndsWhenItsAddressIsGone(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, status(http.StatusGone))
	p := newHerald(t, "127.0.0.1")
	s, _ := p.subscribes(r.URL, growth.FormStandard, "a.thing")
	other, _ := p.subscribes(newReceiver(t, status(200)).URL, growth.FormStandard, "subscription.*")
	p.happens("a.thing", `{}`)
	d := p.reaches(s, "failed", 1)
	if d.Code != "refused" || d.EndedAt == nil {
		t.Errorf("delivery = %+v", d)
	}
	now, err := p.sc.Subscription(t.Context(), s.ID)
	if err != nil || now.Active || !strings.Contains(now.DisabledReason, "410") {
		t.Errorf("subscription = %+v, %v", now, err)
	}
	p.happens("a.thing", `{}`)
	if alert := p.reaches(other, "delivered", 1); alert.Type != "subscription.disabled" {
		t.Errorf("told of %s", alert.Type)
	}
	if n := len(r.got()); n != 1 {
		t.Errorf("%d calls to an address that is gone", n)
	}
}

func TestSlackForm(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, status(http.StatusOK))
	p := newHerald(t, "127.0.0.1")
	s, _ := p.subscribes(r.URL, growth.FormSlack)
	p.happens("budget.threshold", `{"budget_name":"R&D <spring>","percent":80,"deep":{"a":1},"long":"`+strings.Repeat("x", 300)+`"}`)
	p.reaches(s, "delivered", 1)
	var body map[string]string
	p.must(json.Unmarshal(r.got()[0].Body, &body))
	want := "*budget.threshold*\nbudget name: R&amp;D &lt;spring&gt;\nlong: " + strings.Repeat("x", 200) + "…\npercent: 80"
	if len(body) != 1 || body["text"] != want {
		t.Errorf("body = %s", r.got()[0].Body)
	}
}

func TestSlackFormOfAJobSaysWhatAPersonNeeds(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, status(http.StatusOK))
	p := newHerald(t, "127.0.0.1")
	p.dispatch.Pages = "http://localhost:3001/jobs/"
	p.subscribes(r.URL, growth.FormSlack, "job.*")
	for i, tc := range []struct{ ending, want string }{
		{`type = 'lead-qualification', state = 'succeeded', input = '{"lead":{"business_name":"Café <du> Parc","email":"zoe@example.com","phone":"514"}}',
			result = '{"score":72,"priority":"high"}'`, "*job.succeeded* lead-qualification: Café &lt;du&gt; Parc\npriority: high\nscore: 72"},
		{
			`type = 'content-generation', state = 'failed', input = '{"topic":"Terrasse"}', error_code = 'exhausted', error_message = 'the budget is spent'`,
			"*job.failed* content-generation: Terrasse\nerror: exhausted: the budget is spent",
		},
	} {
		id := p.enqueue(chore{}, growth.JobOptions{})
		p.exec(`UPDATE jobs SET `+tc.ending+` WHERE id = $1`, id)
		p.must(p.s.InTx(t.Context(), func(tx *store.Tx) error {
			return tx.AddEvent(t.Context(), p.ws.ID, id, store.NewEvent{
				Type: strings.Trim(strings.SplitN(tc.want, " ", 2)[0], "*"), Data: json.RawMessage(`{"job_id":"` + string(id) + `"}`),
			})
		}))
		p.happens("a.thing", `{}`)
		eventually(t, "the message is delivered", func() bool { return len(r.got()) > i })
		var body map[string]string
		p.must(json.Unmarshal(r.got()[i].Body, &body))
		if want := tc.want + "\n<http://localhost:3001/jobs/" + string(id) + "|look at the job>"; body["text"] != want {
			t.Errorf("text = %q\nwant   %q", body["text"], want)
		}
	}
}

func TestSubscriptionNeverReachesAPrivateNetwork(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, status(200))
	p := newHerald(t)
	s, _ := p.subscribes(r.URL, growth.FormStandard)
	p.happens("a.thing", `{}`)
	if d := p.reaches(s, "failed", 1); d.Code != "forbidden" || len(r.got()) != 0 {
		t.Errorf("delivery %+v, %d calls", d, len(r.got()))
	}
}

func TestFillSubscription(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		s     growth.Subscription
		field string
	}{
		{growth.Subscription{URL: "https://example.com/x"}, ""},
		{growth.Subscription{URL: "https://example.com/x", Form: "slack", Types: []string{"job.*", "post.published"}}, ""},
		{growth.Subscription{}, "url"},
		{growth.Subscription{URL: "http://127.0.0.1/"}, "url"},
		{growth.Subscription{URL: "https://example.com/", Form: "xml"}, "form"},
		{growth.Subscription{URL: "https://example.com/", Types: []string{"job.failed", "post.publishd"}}, "types[1]"},
		{growth.Subscription{URL: "https://example.com/", Types: []string{"*"}}, "types[0]"},
		{growth.Subscription{URL: "https://example.com/", Types: make([]string, 51)}, "types"},
	} {
		_, err := tasks.FillSubscription(tc.s, nil)
		field := ""
		if e, ok := err.(*growth.Error); ok { //nolint:errorlint // made there
			field = e.Field
		}
		if field != tc.field || (err == nil) != (tc.field == "") {
			t.Errorf("%+v: %v; want the field %q named", tc.s, err, tc.field)
		}
	}
}

// A callback that fails is sent again with the bytes of its first attempt, whatever the job has become since.
func TestCallbackIsSentAgainAsItWas(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, func(n int, w http.ResponseWriter) {
		if n == 1 {
			w.WriteHeader(500)
		}
	})
	p := newPlant(t)
	cb := p.calls(t, r.URL, "127.0.0.1")
	p.becomes(cb.ID, growth.JobRetrying)
	p.exec(`UPDATE jobs SET metadata = '{"ref":8}', updated_at = now() WHERE type <> 'callback'`)
	eventually(t, "asynq holds it", func() bool { return len(p.inRetry("callbacks")) == 1 })
	p.must(p.inspect.RunTask("callbacks", string(cb.ID)))
	p.becomes(cb.ID, growth.JobSucceeded)
	if got := r.got(); len(got) != 2 || string(got[0].Body) != string(got[1].Body) {
		t.Errorf("%d calls; want the same bytes twice", len(got))
	}
}

// After a day nothing is tried again.
func TestCallbackIsGivenUpAfterADay(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, status(500))
	p := newPlant(t)
	cb := p.calls(t, r.URL, "127.0.0.1")
	p.becomes(cb.ID, growth.JobRetrying)
	eventually(t, "asynq holds it", func() bool { return len(p.inRetry("callbacks")) == 1 })
	p.exec(`UPDATE jobs SET created_at = now() - interval '25 hours' WHERE type = 'callback'`)
	p.must(p.inspect.RunTask("callbacks", string(cb.ID)))
	if j := p.becomes(cb.ID, growth.JobFailed); j.Error.Code != growth.Refused || !strings.Contains(j.Error.Message, "a day has passed") {
		t.Errorf("error = %+v", j.Error)
	}
}
