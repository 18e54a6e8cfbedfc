package api_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/store"
	"github.com/zakibelm/astrogrowth/tasks"
)

// overdue is a text in review whose post was planned for three hours ago, and waits for the approval.
func (f *face) overdue(body string, account growth.AccountID) (growth.Content, growth.JobID) {
	f.t.Helper()
	ctx := f.t.Context()
	c, at := f.keeps(body), time.Now().Add(-3*time.Hour).UTC().Truncate(time.Second)
	got, err := tasks.NewQueue(f.s, nil).Enqueue(ctx, f.ws.ID, tasks.Submission{
		Args: tasks.PublishArgs{ContentID: c.ID, AccountID: account},
		Post: &store.PostWish{Time: growth.PostTime{AccountID: account, Source: growth.PostAtInstant, Zone: "UTC", Local: at.Format(growth.LocalLayout), At: at}},
	})
	if err != nil {
		f.t.Fatal(err)
	}
	claimed, ok, err := f.s.Claim(ctx, got[0].ID, 0, "test", time.Hour)
	if err != nil || !ok {
		f.t.Fatalf("claim: %v %v", ok, err)
	}
	if err := f.s.Finish(ctx, claimed.Job, claimed.Fence, store.Outcome{State: growth.JobWaiting, Waiting: growth.WaitApproval}); err != nil {
		f.t.Fatal(err)
	}
	return c, got[0].ID
}

type heldPosts struct {
	Status string
	Held   []growth.HeldPost
}

// approves reads the answer of an approval.
func (f *face) approves(c growth.Content, more string) heldPosts {
	f.t.Helper()
	a := f.call(http.MethodPost, "/v1/contents/"+string(c.ID)+"/approve", `{"hash":"`+c.Hash+`"`+more+`}`)
	var out heldPosts
	if err := json.Unmarshal(a.body, &out); a.status != http.StatusOK || err != nil {
		f.t.Fatalf("%d %s", a.status, a.body)
	}
	return out
}

func TestApprovalNamesThePostsThatItLeavesWaiting(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	account := f.account("marie")
	c, job := f.overdue("Une terrasse", account)
	got := f.approves(c, "")
	if got.Status != "approved" || len(got.Held) != 1 || got.Held[0].JobID != job || got.Held[0].AccountID != account || got.Held[0].Account != "marie" ||
		time.Since(got.Held[0].PlannedFor) < 3*time.Hour || got.Held[0].Reason == "" {
		t.Errorf("%+v; want the post that waits", got)
	}
	if again := f.approves(c, `,"late":"publish"`); len(again.Held) != 0 {
		t.Errorf("%+v; want it to have gone", again)
	}
	if c, _ := f.overdue("Un patio", account); len(f.approves(c, `,"late":"publish"`).Held) != 0 {
		t.Error("a post that goes out all the same is called held")
	}
	if plain := f.call(http.MethodPost, "/v1/contents/"+string(f.keeps("Sans horaire").ID)+"/approve", "{}"); plain.status != http.StatusUnprocessableEntity {
		t.Errorf("without a hash: %d %s", plain.status, plain.body)
	}
}

func TestBulkApprovalTakesLateAndNamesWhatIsHeld(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	account := f.account("marie")
	for _, tc := range []struct {
		late, state string
		held        int
	}{{"", "waiting", 1}, {`,"late":"ask"`, "waiting", 1}, {`,"late":"publish"`, "queued", 0}} {
		c, job := f.overdue("Une terrasse"+tc.late, account)
		plain := f.keeps("Sans horaire" + tc.late)
		a := f.call(http.MethodPost, "/v1/contents/approve", `{"items":[{"id":"`+string(c.ID)+`","hash":"`+c.Hash+`"},{"id":"`+string(plain.ID)+`","hash":"`+plain.Hash+`"}]`+tc.late+`}`)
		var out struct {
			Approved int
			Data     []heldPosts
		}
		if err := json.Unmarshal(a.body, &out); err != nil || out.Approved != 2 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		j, err := f.s.In(f.ws.ID).Job(t.Context(), job)
		if err != nil {
			t.Fatal(err)
		}
		if len(out.Data[0].Held) != tc.held || len(out.Data[1].Held) != 0 || string(j.State) != tc.state {
			t.Errorf("late %q: %s, job %s; want %d held, %s", tc.late, a.body, j.State, tc.held, tc.state)
		}
	}
	if a := f.call(http.MethodPost, "/v1/contents/approve", `{"items":[{"id":"`+nobody+`","hash":"x"}],"late":"drop"}`); a.status != http.StatusUnprocessableEntity {
		t.Errorf("a policy that there is not: %d %s", a.status, a.body)
	}
}
