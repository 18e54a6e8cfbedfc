package dashboard_test

import (
	"strings"
	"testing"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/dashboard"
	"github.com/zakibelm/astrogrowth/internal/testenv"
	"github.com/zakibelm/astrogrowth/store"
)

func TestListsGoOnWhereThePageBeforeEnded(t *testing.T) {
	t.Parallel()
	db := testenv.Store(t)
	d := seed{t, db, workspace(t, db, "Pages")}
	for i := range 53 {
		d.lead(growth.Lead{BusinessName: name(i), Notes: "x"}, nil, nil)
	}
	d.lead(growth.Lead{BusinessName: "The best"}, qualification(91, "high"), nil)
	d.lead(growth.Lead{BusinessName: "The second"}, qualification(45, "medium"), nil)
	s := serve(t, dashboard.Config{Store: db, Workspace: d.ws.Slug})
	first := s.page("/leads", "The best", "The second")
	if strings.Index(first, "The best") > strings.Index(first, "The second") {
		t.Error("leads are not sorted by their score")
	}
	_, rest, ok := strings.Cut(first, `href="/leads?cursor=`)
	if !ok {
		t.Fatal("there is no link to the next page")
	}
	cursor, _, _ := strings.Cut(rest, `"`)
	second := s.page("/leads?cursor=" + cursor)
	for i := range 53 {
		if n := strings.Count(first+second, name(i)); n != 1 {
			t.Errorf("%s is listed %d times on the two pages", name(i), n)
		}
	}
	s.page("/leads?priority=unscored&q=num%C3%A9ro+07", name(7))
	if body := s.page("/leads?q=notes"); strings.Contains(body, name(0)) {
		t.Error("the search finds names of fields")
	}
}

func TestLeadShowsReasonsWithTheirQuotes(t *testing.T) {
	t.Parallel()
	db := testenv.Store(t)
	d := seed{t, db, workspace(t, db, "Leads")}
	calls := []growth.Call{answered("openrouter", "m", "0.001", 500)}
	id := d.lead(growth.Lead{BusinessName: "Chez <script>alert(1)</script>", Website: "javascript:alert(1)", Notes: "note"}, qualification(74, "high"), calls)
	s := serve(t, dashboard.Config{Store: db, Workspace: d.ws.Slug})
	body := s.page("/leads/"+string(id), "<blockquote>on cherche quelqu’un pour refaire notre site</blockquote>", "found in the lead", "74",
		"Type of business, City, Google rating", "hidden text", "Appeler en après-midi")
	// A person's score, and what came with it, is the one in force.
	score := 20
	if _, err := db.In(d.ws.ID).AddReview(t.Context(), store.Review{
		LeadID: id, Kind: store.ReviewOverride, Message: "met them", Score: &score, Grade: "C3", Priority: "low", NextAction: "nurture", By: "ann",
	}); err != nil {
		t.Fatal(err)
	}
	s.page("/leads/"+string(id), `<span class="big low">20</span>`, `<span class="chip">C3</span>`, "<b>nurture</b>")
	if strings.Contains(body, "<script>alert") || strings.Contains(body, `href="javascript`) {
		t.Error("the lead's own text became part of the page")
	}
	if strings.Count(body, "<blockquote>") != 2 {
		t.Errorf("%d quotes, want 2: a reason without one has nothing to open", strings.Count(body, "<blockquote>"))
	}
}
