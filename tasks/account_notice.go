package tasks

import (
	"context"
	"encoding/json"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/store"
)

// MaxNoticeDays is how early the end of an account's access can be told.
const MaxNoticeDays = 60

// stakedInNotice bounds the list of posts in a notice; their number is told in full.
const stakedInNotice = 50

const dayLong = 24 * time.Hour

// ending is what the event account.expiring says.
type ending struct {
	AccountID growth.AccountID    `json:"account_id"`
	Label     string              `json:"label"`
	EndsAt    time.Time           `json:"ends_at"`
	Days      int                 `json:"days"`   // the threshold that was reached; 0: it has ended
	Reason    string              `json:"reason"` // expires, expired, revoked, turned_down, no_rights, unreadable
	Posts     []growth.StakedPost `json:"posts"`  // that will not go out; the first of them
	PostCount int                 `json:"posts_at_stake"`
}

// Notify tells the end of access of every account that will have to be connected again, once for each of its
// thresholds, together with the posts that will not go out.
func (a *Accounts) Notify(ctx context.Context) (int, error) {
	var after growth.AccountID
	told := 0
	for {
		batch, err := a.Store.EndingAccounts(ctx, MaxNoticeDays*dayLong, after, 100)
		if err != nil || len(batch) == 0 {
			return told, err
		}
		for _, acc := range batch {
			after = acc.ID
			done, err := a.notifyOne(ctx, acc, time.Now())
			if err != nil {
				return told, err
			}
			if done {
				told++
			}
		}
	}
}

func (a *Accounts) notifyOne(ctx context.Context, acc growth.Account, now time.Time) (bool, error) {
	end := acc.EndsAt()
	if end == nil {
		return false, nil
	}
	left := end.Sub(now)
	if left <= 0 {
		if acc.Refreshes {
			return false, nil // only LinkedIn's word that the refresh token is dead ends it
		}
		return a.tell(ctx, acc, *end, 0, "expired")
	}
	days, due := threshold(acc.Settings.Notices(), left)
	if !due {
		return false, nil
	}
	return a.tell(ctx, acc, *end, days, "expires")
}

// threshold is the smallest number of days that is not less than what is left. Thresholds that were slept through are
// not told one after the other.
func threshold(days []int, left time.Duration) (int, bool) {
	reached, due := 0, false
	for _, d := range days { // the earliest first
		if left <= time.Duration(d)*dayLong {
			reached, due = d, true
		}
	}
	return reached, due
}

// end marks an account as one that has to be connected again, and tells it. It does nothing when the account has another
// token by now.
func (a *Accounts) end(ctx context.Context, acc growth.Account, reason string) (bool, error) {
	return a.tell(ctx, acc, time.Now().UTC(), 0, reason)
}

func (a *Accounts) tell(ctx context.Context, acc growth.Account, end time.Time, days int, reason string) (bool, error) {
	posts, count, err := a.Store.In(acc.Workspace).PostsAtStake(ctx, acc.ID, end, stakedInNotice)
	if err != nil {
		return false, err
	}
	data, err := json.Marshal(ending{AccountID: acc.ID, Label: acc.Label, EndsAt: end, Days: days, Reason: reason, Posts: posts, PostCount: count})
	if err != nil {
		return false, err
	}
	return a.Store.NoticeEnd(ctx, acc, end, days, store.NewEvent{Type: "account.expiring", Data: data})
}
