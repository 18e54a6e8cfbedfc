package dashboard

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"unicode/utf16"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/auth"
	"github.com/zakibelm/astrogrowth/internal/content"
	"github.com/zakibelm/astrogrowth/store"
	"github.com/zakibelm/astrogrowth/tasks"
)

var contentStatuses = []growth.ContentStatus{
	growth.ContentInReview, growth.ContentApproved, growth.ContentRejected, growth.ContentPublished, growth.ContentUnknown,
	growth.ContentFailed, growth.ContentDraft,
}

// contentsPage is the list of content.
type contentsPage struct {
	Contents []ContentCard
	Status   growth.ContentStatus // empty: all
	Statuses []growth.ContentStatus
	Next     growth.ContentID
	First    bool
}

// ContentCard is a piece of content as LinkedIn would show it.
type ContentCard struct {
	growth.Content

	Above, Below string // the text before and behind the fold
	Length       int    // as LinkedIn counts: UTF-16 units
	Decidable    bool
	Overdue      []growth.HeldPost // posts that wait while their time has passed
}

func (d *Dashboard) listContents(w http.ResponseWriter, r *http.Request, v *visitor) error {
	q := r.URL.Query()
	status := growth.ContentInReview
	if q.Has("status") {
		status = growth.ContentStatus(q.Get("status"))
	}
	if status != "" && !slices.Contains(contentStatuses, status) {
		return growth.InvalidField("dashboard.listContents", "status", "there is no such status")
	}
	cursor, err := cursorOf(q.Get("cursor"))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), queryTimeout)
	defer cancel()
	contents, err := d.scoped(v).Contents(ctx, status, store.Page{Limit: listLimit, Cursor: cursor})
	if err != nil {
		return err
	}
	data := contentsPage{Status: status, Statuses: contentStatuses, First: cursor == ""}
	if data.Contents, err = d.cards(ctx, v, contents); err != nil {
		return err
	}
	if len(contents) == listLimit {
		data.Next = contents[len(contents)-1].ID
	}
	p := d.newPage(w, r, v, "contents", "contents.title")
	p.Data = data
	return d.pages.write(w, http.StatusOK, p)
}

func (d *Dashboard) cards(ctx context.Context, v *visitor, contents []growth.Content) ([]ContentCard, error) {
	ids := make([]growth.ContentID, len(contents))
	for i, c := range contents {
		ids[i] = c.ID
	}
	overdue, err := d.scoped(v).OverduePosts(ctx, ids)
	if err != nil {
		return nil, err
	}
	out := make([]ContentCard, len(contents))
	for i, c := range contents {
		out[i] = cardOf(c)
		for _, p := range overdue {
			if p.ContentID == c.ID {
				out[i].Overdue = append(out[i].Overdue, p)
			}
		}
	}
	return out, nil
}

// Late are the answers to the question what becomes of a post whose time has passed.
func (ContentCard) Late() []growth.LatePolicy {
	return []growth.LatePolicy{growth.LateAsk, growth.LatePublish, growth.LateNextSlot}
}

func cardOf(c growth.Content) ContentCard {
	text := content.Text(content.Draft{Title: c.Title, Body: c.Body, Hashtags: c.Hashtags}) // what would be posted
	above, below := splitFold(text)
	k := ContentCard{Content: c, Above: above, Below: below, Length: content.Length(text)}
	switch c.Status {
	case growth.ContentDraft, growth.ContentInReview:
		k.Decidable = true
	case growth.ContentApproved, growth.ContentRejected, growth.ContentScheduled, growth.ContentPublishing,
		growth.ContentPublished, growth.ContentUnknown, growth.ContentFailed:
	}
	return k
}

// splitFold cuts a text where LinkedIn folds it.
func splitFold(text string) (above, below string) {
	n := 0
	for i, r := range text {
		n += utf16.RuneLen(r)
		if n > content.FoldChars {
			return text[:i], text[i:]
		}
	}
	return text, ""
}

func (d *Dashboard) approveContent(w http.ResponseWriter, r *http.Request, v *visitor) error {
	late := growth.LatePolicy(r.PostFormValue("late"))
	if late != "" && !slices.Contains(ContentCard{}.Late(), late) {
		return growth.InvalidField("dashboard.approveContent", "late", "use ask, publish or next_slot")
	}
	return d.decide(w, r, v, func(sc store.Scoped, id growth.ContentID, hash string) (string, error) {
		a, err := tasks.Approve(r.Context(), sc, id, hash, v.Name, late)
		if len(a.Held) > 0 {
			return "held", err
		}
		return "approved", err
	})
}

func (d *Dashboard) rejectContent(w http.ResponseWriter, r *http.Request, v *visitor) error {
	return d.decide(w, r, v, func(sc store.Scoped, id growth.ContentID, hash string) (string, error) {
		_, err := sc.RejectContent(r.Context(), id, hash, shorten(r.PostFormValue("reason"), 500))
		return "rejected", err
	})
}

// decide carries out a verdict on the text that the person saw: its hash comes with the form, and a text that was
// edited since then is not decided on.
func (d *Dashboard) decide(w http.ResponseWriter, r *http.Request, v *visitor, carryOut func(store.Scoped, growth.ContentID, string) (done string, err error)) error {
	id, hash := r.PathValue("id"), r.PostFormValue("hash")
	switch {
	case !v.May(auth.ScopeApprove):
		return growth.Errorf(growth.Forbidden, "dashboard.decide", "your key lacks the scope approve")
	case !growth.ValidID(id):
		return growth.Errorf(growth.NotFound, "dashboard.decide", "there is no such content")
	case hash == "":
		return growth.InvalidField("dashboard.decide", "hash", "the form names no text; open the list again")
	}
	done, err := carryOut(d.scoped(v), growth.ContentID(id), hash)
	if err != nil {
		return err
	}
	http.Redirect(w, r, "/contents?done="+done, http.StatusSeeOther)
	return nil
}

// shorten trims a text that a person typed and bounds its length.
func shorten(s string, limit int) string {
	runes := []rune(strings.TrimSpace(s))
	return string(runes[:min(len(runes), limit)])
}
