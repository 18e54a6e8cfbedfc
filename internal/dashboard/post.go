package dashboard

import (
	"context"
	"net/http"
	"regexp"
	"slices"
	"strings"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/auth"
	"github.com/zakibelm/astrogrowth/store"
)

var publicationStates = []growth.PublicationState{
	growth.PublicationReady, growth.PublicationPublishing, growth.PublicationPublished, growth.PublicationRejected, growth.PublicationUnknown,
	growth.PublicationDeleted,
}

// publicationsPage is the list of publications.
type publicationsPage struct {
	Publications []PublicationLine
	State        growth.PublicationState // empty: all
	States       []growth.PublicationState
	Next         growth.PublicationID
	First        bool
}

// PublicationLine is a publication with what a person needs to recognise it.
type PublicationLine struct {
	growth.Publication
	store.Posted

	Link string // where the post stands; empty when that is no web address
}

// Unknown says whether a person has to settle it.
func (l PublicationLine) Unknown() bool { return l.State == growth.PublicationUnknown }

func (d *Dashboard) listPublications(w http.ResponseWriter, r *http.Request, v *visitor) error {
	q := r.URL.Query()
	state := growth.PublicationState(q.Get("state"))
	if state != "" && !slices.Contains(publicationStates, state) {
		return growth.InvalidField("dashboard.listPublications", "state", "there is no such state")
	}
	cursor, err := cursorOf(q.Get("cursor"))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), queryTimeout)
	defer cancel()
	lines, err := publicationLines(ctx, d.scoped(v), state, store.Page{Limit: listLimit, Cursor: cursor})
	if err != nil {
		return err
	}
	data := publicationsPage{Publications: lines, State: state, States: publicationStates, First: cursor == ""}
	if len(lines) == listLimit {
		data.Next = lines[len(lines)-1].ID
	}
	p := d.newPage(w, r, v, "publications", "publications.title")
	p.Data = data
	return d.pages.write(w, http.StatusOK, p)
}

func publicationLines(ctx context.Context, sc store.Scoped, state growth.PublicationState, page store.Page) ([]PublicationLine, error) {
	publications, err := sc.Publications(ctx, state, page)
	if err != nil {
		return nil, err
	}
	ids := make([]growth.PublicationID, len(publications))
	for i, p := range publications {
		ids[i] = p.ID
	}
	posted, err := sc.PostedBy(ctx, ids)
	if err != nil {
		return nil, err
	}
	out := make([]PublicationLine, len(publications))
	for i, p := range publications {
		out[i] = PublicationLine{Publication: p, Posted: posted[p.ID], Link: webLink(p.URL)}
	}
	return out, nil
}

var (
	postURN = regexp.MustCompile(`^urn:li:(share|ugcPost|activity):[0-9]{1,25}$`)
	postIn  = regexp.MustCompile(`\b(share|ugcPost|activity)(?::|%3A|-)([0-9]{10,25})`) // in a URN, or in a page's address

)

// settlePublication carries out what a person found out about a post whose outcome was unknown.
func (d *Dashboard) settlePublication(w http.ResponseWriter, r *http.Request, v *visitor) error {
	id := r.PathValue("id")
	switch {
	case !v.May(auth.ScopeApprove):
		return growth.Errorf(growth.Forbidden, "dashboard.settle", "your key lacks the scope approve")
	case !growth.ValidID(id):
		return growth.Errorf(growth.NotFound, "dashboard.settle", "there is no such publication")
	}
	verdict := store.Settlement(r.PostFormValue("verdict"))
	urn, url := "", ""
	if verdict == store.SettlePublished {
		var err error
		if urn, url, err = locate(strings.TrimSpace(r.PostFormValue("post"))); err != nil {
			return err
		}
	}
	if _, err := d.scoped(v).Settle(r.Context(), growth.PublicationID(id), verdict, urn, url); err != nil {
		return err
	}
	http.Redirect(w, r, "/publications?done=settled", http.StatusSeeOther)
	return nil
}

// locate finds the post's URN in what a person copied: the URN itself, or the address of the post's page.
func locate(s string) (urn, url string, err error) {
	if m := postIn.FindStringSubmatch(s); m != nil {
		s = "urn:li:" + m[1] + ":" + m[2]
	}
	if !postURN.MatchString(s) {
		return "", "", growth.InvalidField("dashboard.settle", "post", "give the post's address or URN, as urn:li:share:7012345678901234567")
	}
	return s, "https://www.linkedin.com/feed/update/" + s + "/", nil
}
