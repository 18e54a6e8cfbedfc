package store_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/content"
	"github.com/zakibelm/astrogrowth/internal/testenv"
	"github.com/zakibelm/astrogrowth/store"
)

func draft(body string, status growth.ContentStatus) growth.Content {
	c := growth.Content{
		ID: growth.ContentID(growth.NewID()), Variant: 1, Version: 1, Title: "Title", Body: body, Hashtags: []string{"#a"}, Media: []string{},
		Language: "fr-CA", Score: 80, Checks: []growth.Check{{Rule: "length", OK: true}}, Status: status,
	}
	c.Hash = hashOf(c)
	return c
}

func hashOf(c growth.Content) string { return content.Hash(c.Body, c.Title, c.Hashtags, "", nil) }

func (b *bed) create(body string, status growth.ContentStatus) growth.Content {
	b.tb.Helper()
	c, _, err := b.sc.CreateContent(b.ctx, draft(body, status), "tester")
	b.must(err)
	return c
}

func (b *bed) approved(id growth.ContentID) bool {
	b.tb.Helper()
	_, yes, err := b.sc.ContentHash(b.ctx, id)
	b.must(err)
	return yes
}

func TestContentIsKeptWithItsFirstVersion(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	want := draft("Bonjour", growth.ContentInReview)
	got, number, err := b.sc.CreateContent(b.ctx, want, "tester")
	b.must(err)
	want.CreatedAt, want.UpdatedAt = got.CreatedAt, got.UpdatedAt
	if diff := cmp.Diff(want, got); diff != "" || number != 1 {
		t.Errorf("number %d, content (-want +got):\n%s", number, diff)
	}
	if n := b.count(`SELECT count(*) FROM content_versions WHERE version = 1 AND hash = $1 AND edited_by = 'tester'`, want.Hash); n != 1 {
		t.Error("the first version was not kept")
	}
	if b.approved(got.ID) {
		t.Error("content in review counts as approved")
	}
}

func TestContentOfAJobIsSavedOnce(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	job := b.accept()
	for range 2 {
		b.must(b.s.InTx(b.ctx, func(tx *store.Tx) error {
			c := draft("Bonjour", growth.ContentInReview)
			c.JobID = &job
			_, err := tx.SaveContent(b.ctx, b.ws.ID, c, "machine")
			return err
		}))
	}
	if n := b.count(`SELECT count(*) FROM contents`); n != 1 {
		t.Errorf("%d contents of one variant; want 1", n)
	}
}

func TestContentBornApprovedIsApprovedAsItStands(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	if c := b.create("Bonjour", growth.ContentApproved); !b.approved(c.ID) {
		t.Error("not approved")
	}
}

func TestApprovalBindsToWhatWasSeen(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	c := b.create("Bonjour", growth.ContentInReview)
	_, err := b.sc.ApproveContent(b.ctx, c.ID, hashOf(draft("bonjour", "")), "reviewer")
	wantCode(t, err, growth.Conflict)
	got, err := b.sc.ApproveContent(b.ctx, c.ID, c.Hash, "reviewer")
	b.must(err)
	if got.Status != growth.ContentApproved || !b.approved(c.ID) {
		t.Errorf("status = %s, approved %v", got.Status, b.approved(c.ID))
	}
	if ev := b.events(""); len(ev) != 1 || ev[0] != "content.approved" {
		t.Errorf("events = %v", ev)
	}
}

func TestEditTakesTheApprovalBack(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	c := b.create("Bonjour", growth.ContentApproved)
	c.Body = "Bonjour."
	c.Hash = hashOf(c)
	got, err := b.sc.EditContent(b.ctx, c, "editor")
	b.must(err)
	if got.Status != growth.ContentInReview || got.Version != 2 || b.approved(c.ID) {
		t.Errorf("status %s, version %d, approved %v; want in_review, 2, false", got.Status, got.Version, b.approved(c.ID))
	}
	if n := b.count(`SELECT count(*) FROM content_versions`); n != 2 {
		t.Errorf("%d versions; want 2", n)
	}
}

// What is shown as approved must be publishable as it stands.
func TestEditThatChangesNothingKeepsStatusAndApprovalTogether(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	c := b.create("Bonjour", growth.ContentApproved)
	got, err := b.sc.EditContent(b.ctx, c, "editor")
	b.must(err)
	if (got.Status == growth.ContentApproved) != b.approved(c.ID) {
		t.Errorf("status %s, but approved is %v", got.Status, b.approved(c.ID))
	}
}

func TestWhatIsOnItsWayCannotBeChanged(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	for _, status := range []growth.ContentStatus{growth.ContentPublishing, growth.ContentPublished, growth.ContentUnknown} {
		c := b.create("Bonjour "+string(status), growth.ContentApproved)
		b.exec(`UPDATE contents SET status = $2 WHERE id = $1`, c.ID, string(status))
		c.Body, c.Hash = "x", "y"
		_, err := b.sc.EditContent(b.ctx, c, "editor")
		wantCode(t, err, growth.Conflict)
		_, err = b.sc.ApproveContent(b.ctx, c.ID, "", "reviewer")
		wantCode(t, err, growth.Conflict)
		_, err = b.sc.RejectContent(b.ctx, c.ID, "", "no")
		wantCode(t, err, growth.Conflict)
	}
}

func TestRejectedContentIsNotApproved(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	c := b.create("Bonjour", growth.ContentApproved)
	got, err := b.sc.RejectContent(b.ctx, c.ID, c.Hash, "too short")
	b.must(err)
	if got.Status != growth.ContentRejected || b.approved(c.ID) {
		t.Errorf("status %s, approved %v", got.Status, b.approved(c.ID))
	}
	bodies, err := b.sc.RecentBodies(b.ctx, 10)
	b.must(err)
	if len(bodies) != 0 {
		t.Errorf("new text is compared with rejected %q", bodies)
	}
}

func TestDecisionWakesTheJobThatWaitsForIt(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	c, other := b.create("Bonjour", growth.ContentInReview), b.create("Autre", growth.ContentInReview)
	wait := func(id growth.ContentID) growth.JobID {
		job := b.publishJob(id)
		b.end(b.claim(job), store.Outcome{State: growth.JobWaiting, Waiting: growth.WaitApproval, Redeliver: true, Refund: true})
		return job
	}
	waits, still := wait(c.ID), wait(other.ID)
	_, err := b.sc.ApproveContent(b.ctx, c.ID, c.Hash, "reviewer")
	b.must(err)
	got := b.handOver(10)
	if len(got) != 1 || got[0].ID != waits {
		t.Fatalf("handed over %+v; want the job of the approved content", got)
	}
	if s := b.row(still).State; s != growth.JobWaiting {
		t.Errorf("the other job is %s", s)
	}
	if _, ok, err := b.s.Claim(context.WithoutCancel(b.ctx), waits, got[0].Epoch, "w", lease); err != nil || !ok {
		t.Errorf("claim = %v, %v", ok, err)
	}
}

// Two workspaces that end the same text at once: the second one is not told what stands elsewhere before the first one's
// text is there.
func TestTextsOfTheAgencyAreComparedOneAfterTheOther(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	other := testenv.Workspace(t, b.s)
	c := draft("Une phrase assez longue pour laisser une empreinte dans la base.", growth.ContentApproved)
	c.Sketch = []byte("sketch of " + c.ID)
	elsewhere := make(chan [][]byte, 1)
	b.must(b.s.InTx(b.ctx, func(tx *store.Tx) error {
		if _, _, err := tx.TextsNow(b.ctx, b.ws.ID, 10); err != nil {
			return err
		}
		go func() {
			var seen [][]byte
			if err := b.s.InTx(b.ctx, func(tx *store.Tx) (err error) {
				_, seen, err = tx.TextsNow(b.ctx, other.ID, 10)
				return err
			}); err != nil {
				t.Error(err)
			}
			elsewhere <- seen
		}()
		for b.count(`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%advisory%contents%'`) == 0 {
			if b.ctx.Err() != nil || len(elsewhere) > 0 {
				return errors.New("the other workspace did not wait")
			}
			time.Sleep(time.Millisecond)
		}
		_, err := tx.SaveContent(b.ctx, b.ws.ID, c, "tester")
		return err
	}))
	if seen := <-elsewhere; !slices.ContainsFunc(seen, func(s []byte) bool { return bytes.Equal(s, c.Sketch) }) {
		t.Error("the other workspace was not told of the text")
	}
}
