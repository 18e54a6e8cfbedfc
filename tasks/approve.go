package tasks

import (
	"context"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/linkedin"
	"github.com/zakibelm/astrogrowth/store"
)

// Approve approves the text that a person has read, by its hash. One that LinkedIn would not take is refused: it would
// be found out at the time of its post, when nobody looks. late says what becomes of posts of it whose time has passed;
// empty: what their account's plan says. Those that a person still has to let go come with the answer.
func Approve(ctx context.Context, sc store.Scoped, id growth.ContentID, hash, by string, late growth.LatePolicy) (growth.Approval, error) {
	c, err := sc.Content(ctx, id)
	if err != nil {
		return growth.Approval{}, err
	}
	if err := fits("tasks.Approve", c); err != nil && c.Hash == hash {
		return growth.Approval{}, err
	}
	return sc.DecideContent(ctx, id, store.Verdict{Approve: true, Hash: hash, By: by, Late: late, Slot: NextSlot})
}

// fits says whether LinkedIn takes a content at its length.
func fits(op string, c growth.Content) error {
	if n := linkedin.Length(textOf(c)); n > linkedin.MaxText {
		return growth.InvalidField(op, "text", "LinkedIn takes at most %d characters; with its title and hashtags this text has %d: shorten it", linkedin.MaxText, n)
	}
	return nil
}
