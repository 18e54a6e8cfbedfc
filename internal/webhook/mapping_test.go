package webhook_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/webhook"
)

func b64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

const typeformBody = `{"event_id":"01EXAMPLE","event_type":"form_response","form_response":{"form_id":"f","token":"tok_abc",
	"hidden":{"utm_source":"linkedin"},"answers":[
	{"type":"email","email":"ada@example.test","field":{"id":"q1","type":"email","ref":"email_ref"}},
	{"type":"text","text":"Ada","field":{"id":"q2","type":"short_text","ref":"name_ref"}},
	{"type":"text","text":"Chez Ada","field":{"id":"q4","type":"short_text","ref":"business_name"}},
	{"type":"choices","choices":{"labels":["SEO","Ads"]},"field":{"id":"q5","ref":"Which one?"}},
	{"type":"boolean","boolean":true,"field":{"id":"q6","ref":"newsletter"}},
	{"type":"choice","choice":{"label":"Demo"},"field":{"id":"q3","type":"multiple_choice","ref":"want_ref"}}]}}`

const calendlyBody = `{"event":"invitee.created","created_at":"2026-11-23T08:00:00.000000Z","payload":{"uri":"https://api.calendly.com/scheduled_events/E/invitees/I",
	"email":"ada@example.test","name":"Ada Example","timezone":"Europe/Berlin","questions_and_answers":[{"question":"Company","answer":"Example Ltd","position":0},
	{"question":"What is it about?","answer":"Ads"}],"tracking":{"utm_source":"linkedin","utm_campaign":null},
	"scheduled_event":{"name":"Intro","start_time":"2026-11-25T09:00:00.000000Z"}}}`

const hubSpotBody = `[{"eventId":1001,"subscriptionId":55,"occurredAt":1767225600000,"subscriptionType":"contact.creation","objectId":9007199254740993},
	{"eventId":1002,"subscriptionId":55,"occurredAt":1767225600001,"subscriptionType":"contact.propertyChange","objectId":2,"propertyName":"email","propertyValue":"b@example.test"}]`

// read gives the only message of a body.
func read(t *testing.T, k webhook.Kind, body string) webhook.Message {
	t.Helper()
	ms, err := (webhook.Reading{Kind: k}).Read(webhook.Call{Body: []byte(body)})
	if err != nil || len(ms) != 1 {
		t.Fatalf("%d messages, %v", len(ms), err)
	}
	return ms[0]
}

func TestEachKindFindsItsLead(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		kind    webhook.Kind
		mapping webhook.Mapping
		body    string
		want    map[string]string
	}{
		{"Typeform by itself", webhook.KindTypeform, nil, typeformBody, map[string]string{
			"source": "typeform", "external_id": "typeform:tok_abc", "email": "ada@example.test", "business_name": "Chez Ada", "extra.name_ref": "Ada",
			"extra.which_one": "SEO, Ads", "extra.newsletter": "true", "extra.want_ref": "Demo", "extra.utm_source": "linkedin",
		}},
		{"Typeform by refs", webhook.KindTypeform, webhook.Mapping{
			"contact_name": "answer(name_ref)", "notes": "answer(want_ref)", "source": "form_response.hidden.utm_source | =\"form\"", "external_id": "",
			"email": "form_response.answers[field.ref=email_ref].email", "city": "answer(nowhere)|=Laval",
		}, typeformBody, map[string]string{
			"source": "linkedin", "email": "ada@example.test", "business_name": "Chez Ada", "contact_name": "Ada", "notes": "Demo", "city": "Laval",
			"extra.name_ref": "Ada", "extra.which_one": "SEO, Ads", "extra.newsletter": "true", "extra.want_ref": "Demo", "extra.utm_source": "linkedin",
		}},
		{"Calendly by itself", webhook.KindCalendly, nil, calendlyBody, map[string]string{
			"source": "calendly", "external_id": "calendly:https://api.calendly.com/scheduled_events/E/invitees/I", "email": "ada@example.test", "contact_name": "Ada Example",
			"business_name": "Example Ltd", "extra.what_is_it_about": "Ads", "extra.meeting": "Intro", "extra.meeting_at": "2026-11-25T09:00:00.000000Z",
			"extra.timezone": "Europe/Berlin", "extra.utm_source": "linkedin",
		}},
		{"Calendly by its questions", webhook.KindCalendly, webhook.Mapping{"notes": "question(what is it about?)"}, calendlyBody, map[string]string{
			"source": "calendly", "external_id": "calendly:https://api.calendly.com/scheduled_events/E/invitees/I", "email": "ada@example.test", "contact_name": "Ada Example",
			"business_name": "Example Ltd", "extra.what_is_it_about": "Ads", "extra.meeting": "Intro", "extra.meeting_at": "2026-11-25T09:00:00.000000Z",
			"extra.timezone": "Europe/Berlin", "extra.utm_source": "linkedin", "notes": "Ads",
		}},
		{"any body by its names", webhook.KindToken, nil, `{"data":{"email":"a@b.test","company":"B","first_name":"Ann","last_name":"B","google_rating":4.5,"extra":{"Größe ?":12}}}`, map[string]string{
			"email": "a@b.test", "business_name": "B", "contact_name": "Ann B", "google_rating": "4.5", "extra.gr_e": "12",
		}},
		{"items of arrays", webhook.KindHMAC, webhook.Mapping{"email": "people[1].mail", "notes": "tags"}, `{"people":[{"mail":"x"},{"mail":"y@z.test"}],"tags":["a",2,null]}`, map[string]string{
			"email": "y@z.test", "notes": "a, 2",
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if err := tc.mapping.Check(); err != nil {
				t.Fatal(err)
			}
			got, err := tc.mapping.Fields(tc.kind, read(t, tc.kind, tc.body))
			if err != nil {
				t.Fatal(err)
			}
			for f, v := range got {
				if v == "" {
					delete(got, f)
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("fields (-want +got):\n%s", diff)
			}
		})
	}
}

func TestHubSpotCallsCarryManyMessages(t *testing.T) {
	t.Parallel()
	r := webhook.Reading{Kind: webhook.KindHubSpot}
	ms, err := r.Read(webhook.Call{Body: []byte(hubSpotBody)})
	if err != nil || len(ms) != 2 {
		t.Fatalf("%d messages, %v", len(ms), err)
	}
	var got []string
	for _, m := range ms {
		f, err := webhook.Mapping{}.Fields(webhook.KindHubSpot, m)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, m.Event+" "+f["external_id"]+" "+f["email"])
	}
	want := []string{"contact.creation hubspot:9007199254740993 ", "contact.propertyChange hubspot:2 b@example.test"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
	twice := `[{"eventId":1,"subscriptionId":2,"objectId":3,"occurredAt":4},{"eventId":1,"subscriptionId":2,"objectId":3,"occurredAt":4,"attemptNumber":1}]`
	if ms, err = r.Read(webhook.Call{Body: []byte(twice)}); err != nil || len(ms) != 1 {
		t.Errorf("the same event twice in a call: %d messages, %v", len(ms), err)
	}
}

// A message is known again by what is signed, and by nothing that anybody could put beside it.
func TestMessagesAreKnownAgain(t *testing.T) {
	t.Parallel()
	digest := func(r webhook.Reading, body string, headers ...string) []byte {
		h := http.Header{}
		for i := 0; i < len(headers); i += 2 {
			h.Set(headers[i], headers[i+1])
		}
		ms, err := r.Read(webhook.Call{Header: h, Body: []byte(body)})
		if err != nil {
			t.Fatal(err)
		}
		return ms[0].Dedup
	}
	hub := webhook.Reading{Kind: webhook.KindHMACBody}
	for _, tc := range []struct {
		name string
		a, b []byte
		same bool
	}{
		{"Typeform's event", digest(webhook.Reading{Kind: webhook.KindTypeform}, `{"event_id":"1","x":1}`), digest(webhook.Reading{Kind: webhook.KindTypeform}, `{"event_id":"1","x":2}`), true},
		{"Typeform's other event", digest(webhook.Reading{Kind: webhook.KindTypeform}, `{"event_id":"1"}`), digest(webhook.Reading{Kind: webhook.KindTypeform}, `{"event_id":"2"}`), false},
		{"an unsigned header", digest(hub, `{"a":1}`, "X-GitHub-Delivery", "1"), digest(hub, `{"a":1}`, "X-GitHub-Delivery", "2"), true},
		{"another body", digest(hub, `{"a":1}`), digest(hub, `{"a":2}`), false},
		{"a signed id", digest(webhook.Reading{Kind: webhook.KindStandard}, `{"a":1}`, "webhook-id", "1"), digest(webhook.Reading{Kind: webhook.KindStandard}, `{"a":1}`, "webhook-id", "2"), false},
		{"a path", digest(webhook.Reading{Kind: webhook.KindToken, DedupPath: "n.id"}, `{"n":{"id":7}}`), digest(webhook.Reading{Kind: webhook.KindToken, DedupPath: "n.id"}, `{"n":{"id":7},"try":2}`), true},
		{"a path that leads nowhere", digest(webhook.Reading{Kind: webhook.KindToken, DedupPath: "n.id"}, `{"a":1}`), digest(webhook.Reading{Kind: webhook.KindToken, DedupPath: "n.id"}, `{"a":2}`), false},
	} {
		if bytes.Equal(tc.a, tc.b) != tc.same {
			t.Errorf("%s: same = %v, want %v", tc.name, !tc.same, tc.same)
		}
	}
}

func TestBodiesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	for body, kind := range map[string]webhook.Kind{
		``: webhook.KindToken, `{`: webhook.KindToken, `{} {}`: webhook.KindToken, `[]`: webhook.KindToken, `[1]`: webhook.KindHubSpot, `"x"`: webhook.KindToken,
		`null`: webhook.KindTypeform, "{\"a\":\"\xff\"}": webhook.KindToken, `[` + strings.Repeat(`{},`, 1000) + `{}]`: webhook.KindHubSpot,
	} {
		if _, err := (webhook.Reading{Kind: kind}).Read(webhook.Call{Body: []byte(body)}); growth.CodeOf(err) != growth.Invalid || err == nil {
			t.Errorf("%.20q: %v", body, err)
		}
	}
}

func TestBadPathsAreNamed(t *testing.T) {
	t.Parallel()
	for _, path := range []string{".a", "a..b", "a[", "a[x]", "a[-1]", "a[=b]", "a[0]b", "a(b)", "a |", strings.Repeat("a.", 40) + "a", strings.Repeat("x", 301), "a|b|c|d|e|f|g|h|i"} {
		err := webhook.Mapping{"email": path}.Check()
		if err == nil || !strings.Contains(err.Error(), "use") && !strings.Contains(err.Error(), "write") {
			t.Errorf("%.30s: %v", path, err)
		}
	}
	_, err := webhook.Mapping{"email": "a"}.Fields(webhook.KindToken, read(t, webhook.KindToken, `{"a":{"secret":"x@y.z"}}`))
	if err == nil || !strings.Contains(err.Error(), "object") || strings.Contains(err.Error(), "x@y.z") {
		t.Errorf("a path to an object: %v", err)
	}
}

func TestOtherTypesOfEventsAreDropped(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		kind  webhook.Kind
		event string
		named []string
		want  bool
	}{
		{webhook.KindCalendly, "invitee.created", nil, true},
		{webhook.KindCalendly, "invitee.canceled", nil, false},
		{webhook.KindCalendly, "invitee.canceled", []string{"invitee.canceled"}, true},
		{webhook.KindHubSpot, "contact.deletion", nil, false},
		{webhook.KindToken, "anything", nil, true},
		{webhook.KindToken, "", []string{"lead"}, false},
	} {
		if got := tc.kind.Wanted(tc.event, tc.named); got != tc.want {
			t.Errorf("%s %q of %v: %v", tc.kind, tc.event, tc.named, got)
		}
	}
}

// FuzzVerify holds that no header and no body is accepted without the secret, and that none breaks the parsers.
func FuzzVerify(f *testing.F) {
	for _, v := range vectors {
		f.Add(string(v.scheme.Kind), v.header[len(v.header)-1][1], "1767225600", vectorBody)
	}
	f.Add("hmac", "t=1767225600,v1=,v1==,t", "", "{}")
	f.Fuzz(func(t *testing.T, kind, signature, stamp, body string) {
		s := webhook.Scheme{Kind: webhook.Kind(kind), Header: "X-Proof"}
		h := http.Header{"X-Proof": {signature}, "Webhook-Id": {"m"}, "Webhook-Timestamp": {stamp}, "X-Hubspot-Request-Timestamp": {stamp}}
		secret := webhook.Secret(bytes.Repeat([]byte{7}, 32))
		c := webhook.Call{Method: "POST", URI: "https://x.test/", Header: h, Body: []byte(body)}
		if err := s.Verify(c, []string{secret}, time.Unix(vectorTime, 0)); err == nil {
			t.Fatalf("%s accepted %q", kind, signature)
		}
	})
}

// FuzzMapping holds that any body gives fields of text or an error, whatever the path, and that a body is its own twin.
func FuzzMapping(f *testing.F) {
	f.Add("typeform", typeformBody, "answer(name_ref)")
	f.Add("calendly", calendlyBody, "payload.questions_and_answers[question=Company].answer")
	f.Add("hubspot", hubSpotBody, "objectId | =\"x\"")
	f.Add("token", `{"a":[[{"b":1e400}]]}`, "a[0][0].b")
	f.Add("token", "0", "a")
	f.Fuzz(func(t *testing.T, kind, body, path string) {
		r := webhook.Reading{Kind: webhook.Kind(kind), DedupPath: path, EventPath: path}
		ms, err := r.Read(webhook.Call{Body: []byte(body)})
		again, err2 := r.Read(webhook.Call{Body: []byte(body)})
		if (err == nil) != (err2 == nil) || len(ms) != len(again) {
			t.Fatal("the same body reads differently")
		}
		if err != nil && ms != nil {
			t.Fatalf("refused, and %d messages", len(ms))
		}
		m := webhook.Mapping{"notes": path}
		checked := m.Check()
		for i, msg := range ms {
			if !json.Valid(msg.Raw) || len(msg.Dedup) != 32 || !bytes.Equal(msg.Dedup, again[i].Dedup) {
				t.Fatalf("message %q", msg.Raw)
			}
			fields, err := m.Fields(webhook.Kind(kind), msg)
			if checked != nil && err == nil {
				t.Fatalf("the path %q is refused and used", path)
			}
			if len(fields) > 200 {
				t.Fatalf("%d fields", len(fields))
			}
		}
	})
}
