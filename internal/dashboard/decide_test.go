package dashboard_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/dashboard"
	"github.com/zakibelm/astrogrowth/internal/testenv"
)

func TestContentIsDecidedAsItWasSeen(t *testing.T) {
	t.Parallel()
	db := testenv.Store(t)
	d := seed{t, db, workspace(t, db, "Contents")}
	long := strings.Repeat("é", 205) + "12345|behind the fold"
	first := d.content("First", long)
	second := d.content("Second", "Short.")
	s := serve(t, dashboard.Config{Store: db, Workspace: d.ws.Slug})
	s.page("/contents", `12345<span class="fold"`, `<span class="below">|behind the fold`, "#Montréal", "40 % is not in the brief", first.Hash)

	if a := s.post("/contents/"+string(first.ID)+"/approve", url.Values{"hash": {"another"}}); a.status != http.StatusConflict {
		t.Errorf("approving a text that was not shown = %d, want 409", a.status)
	}
	if a := s.post("/contents/"+string(first.ID)+"/approve", url.Values{}); a.status != http.StatusUnprocessableEntity {
		t.Errorf("approving without a hash = %d, want 422", a.status)
	}
	a := s.post("/contents/"+string(first.ID)+"/approve", url.Values{"hash": {first.Hash}})
	if a.status != http.StatusSeeOther || a.header.Get("Location") != "/contents?done=approved" {
		t.Fatalf("approve = %d to %q", a.status, a.header.Get("Location"))
	}
	s.page("/contents?done=approved", "The text is approved.", "Second")
	if a := s.post("/contents/"+string(second.ID)+"/reject", url.Values{"hash": {second.Hash}, "reason": {"off brand"}}); a.status != http.StatusSeeOther {
		t.Errorf("reject = %d", a.status)
	}
	for id, want := range map[growth.ContentID]growth.ContentStatus{first.ID: growth.ContentApproved, second.ID: growth.ContentRejected} {
		c, err := db.In(d.ws.ID).Content(t.Context(), id)
		if err != nil || c.Status != want {
			t.Errorf("content %s is %s (%v), want %s", c.Title, c.Status, err, want)
		}
	}
	if _, ok, err := db.In(d.ws.ID).ContentHash(t.Context(), first.ID); err != nil || !ok {
		t.Errorf("the approval is not bound to the text: %v, %v", ok, err)
	}
}

// A post whose time has passed is asked about where its text is approved.
func TestOverduePostIsDecidedWithItsText(t *testing.T) {
	t.Parallel()
	db := testenv.Store(t)
	d := seed{t, db, workspace(t, db, "Overdue")}
	s := serve(t, dashboard.Config{Store: db, Workspace: d.ws.Slug})
	c, job := d.overdue("Une terrasse")
	page := "/contents?status=in_review"
	s.page(page, "Marie Tremblay waits; its time has passed", `name="late"`, "as the posting plan says")
	if a := s.post("/contents/"+string(c.ID)+"/approve", url.Values{"hash": {c.Hash}, "late": {"drop"}}); a.status != http.StatusUnprocessableEntity {
		t.Errorf("a policy that there is not: %d", a.status)
	}
	a := s.post("/contents/"+string(c.ID)+"/approve", url.Values{"hash": {c.Hash}, "late": {""}})
	if a.status != http.StatusSeeOther || a.header.Get("Location") != "/contents?done=held" {
		t.Fatalf("approve = %d to %q", a.status, a.header.Get("Location"))
	}
	s.page("/contents?done=held", "A post of it waits all the same")
	s.page("/contents?status=approved", "its time has passed", `<option value="publish">`, "Decide")
	a = s.post("/contents/"+string(c.ID)+"/approve", url.Values{"hash": {c.Hash}, "late": {"publish"}})
	if a.status != http.StatusSeeOther || a.header.Get("Location") != "/contents?done=approved" {
		t.Fatalf("decide = %d to %q", a.status, a.header.Get("Location"))
	}
	if j, err := db.In(d.ws.ID).Job(t.Context(), job); err != nil || j.State != growth.JobQueued {
		t.Errorf("the job is %s, %v", j.State, err)
	}
	if body := s.get("/contents?status=approved").body; strings.Contains(body, `name="late"`) {
		t.Error("the question stands there still")
	}
}

func TestAnotherSiteCannotDecide(t *testing.T) {
	t.Parallel()
	db := testenv.Store(t)
	d := seed{t, db, workspace(t, db, "CSRF")}
	c := d.content("Title", "Body")
	s := serve(t, dashboard.Config{Store: db, Workspace: d.ws.Slug, Queues: http.NotFoundHandler()})
	for _, tc := range []struct{ name, header, value, path string }{
		{"by fetch metadata", "Sec-Fetch-Site", "cross-site", "/contents/" + string(c.ID) + "/approve"},
		{"by origin", "Origin", "https://evil.example", "/contents/" + string(c.ID) + "/approve"},
		{"of the queues", "Sec-Fetch-Site", "cross-site", "/queues/api/queues/publish:pause"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := s.request(http.MethodPost, tc.path, url.Values{"hash": {c.Hash}})
			r.Header.Del("Sec-Fetch-Site")
			r.Header.Set(tc.header, tc.value)
			if a := s.do(r); a.status != http.StatusForbidden {
				t.Errorf("status = %d, want 403", a.status)
			}
		})
	}
	if got, err := db.In(d.ws.ID).Content(t.Context(), c.ID); err != nil || got.Status != growth.ContentInReview {
		t.Errorf("content is %s, %v", got.Status, err)
	}
}

func TestUnknownPublicationIsSettledByAPerson(t *testing.T) {
	t.Parallel()
	db := testenv.Store(t)
	d := seed{t, db, workspace(t, db, "Posts")}
	s := serve(t, dashboard.Config{Store: db, Workspace: d.ws.Slug})
	const urn = "urn:li:activity:7012345678901234567"
	for _, tc := range []struct {
		name, verdict, post string
		status              int
		state               growth.PublicationState
		urn                 string
	}{
		{"published, by URN", "published", urn, 303, growth.PublicationPublished, urn},
		{"published, by its address", "published", "https://www.linkedin.com/posts/marie_cafe-activity-7012345678901234567-AbCd", 303, growth.PublicationPublished, urn},
		{"published, but where", "published", "somewhere", 422, growth.PublicationUnknown, ""},
		{"send again", "send_again", "", 303, growth.PublicationReady, ""},
		{"drop", "drop", "", 303, growth.PublicationRejected, ""},
		{"no verdict", "", "", 422, growth.PublicationUnknown, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			id := d.publication("Bonjour "+tc.name, growth.PublicationUnknown)
			s.page("/publications?state=unknown", string(id), "Bonjour "+tc.name, "Marie Tremblay")
			if a := s.post("/publications/"+string(id)+"/settle", url.Values{"verdict": {tc.verdict}, "post": {tc.post}}); a.status != tc.status {
				t.Errorf("settle = %d, want %d: %s", a.status, tc.status, a.body)
			}
			p, err := db.In(d.ws.ID).Publication(t.Context(), id)
			if err != nil || p.State != tc.state || p.URN != tc.urn {
				t.Errorf("publication is %s %q (%v), want %s %q", p.State, p.URN, err, tc.state, tc.urn)
			}
		})
	}
}
