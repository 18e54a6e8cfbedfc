package tasks

import (
	"context"
	"time"

	"github.com/rs/zerolog"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/linkedin"
	"github.com/zakibelm/astrogrowth/store"
)

// PostReader looks at LinkedIn's posts and writes under them.
type PostReader interface {
	Read(ctx context.Context, token, author, urn string) (linkedin.Seen, error)
	Newest(ctx context.Context, token, author string) ([]linkedin.Seen, error)
	Comment(ctx context.Context, token, actor, post, text string) (string, error)
	PageOf(urn string) string
	Version() string
}

// Aftercare looks after posts once their request was made: it writes their first comments, reads them back where the
// account's scope allows, and settles an unknown outcome when it finds the post. Not finding it proves nothing, and
// nothing here sends a post. Every worker may run one: rows are claimed.
type Aftercare struct {
	Store     *store.Store
	LinkedIn  PostReader
	Open      func(envelope, owner string) ([]byte, error) // opens sealed tokens
	Simulated bool                                         // LinkedIn is the simulator
	Wake      func()                                       // a job has ended or goes on; nil: nobody waits
	Log       zerolog.Logger
}

const (
	aftercareEvery = 5 * time.Second
	aftercareBatch = 20
	commentBatch   = 5               // one after the other, within the time for which they are claimed
	clockSlack     = 2 * time.Minute // between LinkedIn's clock and ours
	maxComments    = 10              // tries of a comment that was certainly not made
)

// Run works until ctx ends.
func (a *Aftercare) Run(ctx context.Context) {
	tick := time.NewTicker(aftercareEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := a.Pass(ctx); err != nil && ctx.Err() == nil {
			a.Log.Warn().Err(err).Msg("aftercare of posts failed")
		}
	}
}

// Pass does what is due. While LinkedIn takes our version no more, nothing is.
func (a *Aftercare) Pass(ctx context.Context) error {
	stopped, err := a.Store.StoppedLinkedInVersion(ctx, a.LinkedIn.Version())
	if err != nil || stopped != nil {
		return err
	}
	comments, err := a.Store.ClaimComments(ctx, commentBatch)
	if err != nil {
		return err
	}
	for _, c := range comments {
		if err := a.comment(ctx, c); err != nil {
			return err
		}
	}
	reads, err := a.Store.ClaimReads(ctx, aftercareBatch)
	if err != nil {
		return err
	}
	for _, r := range reads {
		if err := a.read(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// comment sends a claimed comment with one request, as a post is sent, and writes what is known of its end.
func (a *Aftercare) comment(ctx context.Context, c store.DueComment) error {
	account, token, err := a.account(ctx, c.Workspace, c.Account)
	end := growth.Comment{State: growth.CommentPosted}
	pause := time.Duration(0)
	ctx = context.WithoutCancel(ctx) // a send that is cut short is an unknown outcome
	if err == nil {
		sendCtx, cancel := context.WithTimeout(ctx, sendTimeout)
		end.URN, err = a.LinkedIn.Comment(sendCtx, token, account.URN, c.URN, c.Text)
		cancel()
		if err != nil && linkedin.Outcome(err) != linkedin.NotCreated {
			end.State = growth.CommentUnknown
		}
	}
	if err != nil {
		end.Error = faultOf(err).Message
	}
	if err != nil && end.State != growth.CommentUnknown {
		end.State = growth.CommentFailed
		if growth.CodeOf(err).Retryable() && c.Tries < maxComments {
			end.State, pause = growth.CommentReady, max(growth.RetryAfterOf(err), time.Duration(c.Tries)*time.Minute)
		}
	}
	saveCtx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return a.Store.EndComment(saveCtx, c.ID, end, pause)
}

// account opens the token of an account that is connected.
func (a *Aftercare) account(ctx context.Context, ws growth.WorkspaceID, id growth.AccountID) (growth.Account, string, error) {
	account, envelope, err := a.Store.In(ws).Account(ctx, id)
	if err != nil {
		return account, "", err
	}
	if account.Simulated != a.Simulated {
		return account, "", growth.Errorf(growth.Conflict, "tasks.Aftercare", "a real account is not asked for at the simulator, nor a simulated one at LinkedIn")
	}
	if account.Status != "active" {
		return account, "", growth.Errorf(growth.KeyRejected, "tasks.Aftercare", "the LinkedIn account has to be connected again")
	}
	token, err := a.Open(envelope, string(account.ID))
	if err != nil {
		return account, "", growth.Errorf(growth.KeyRejected, "tasks.Aftercare", "the stored token does not open with the keys in ENCRYPTION_KEY and ENCRYPTION_KEYS_OLD")
	}
	return account, string(token), nil
}

// read looks for one publication. A failure leaves it to its next time; only a missing scope ends the looking.
func (a *Aftercare) read(ctx context.Context, r store.DueRead) error {
	account, token, err := a.account(ctx, r.Workspace, r.Account)
	if err == nil && r.State == growth.PublicationUnknown {
		err = a.search(ctx, r, account, token)
	} else if err == nil {
		err = a.check(ctx, r, account, token)
	}
	switch growth.CodeOf(err) {
	case growth.Forbidden:
		return a.Store.In(r.Workspace).EndReads(ctx, r.ID, false)
	default:
		if err != nil {
			a.Log.Debug().Str("publication_id", string(r.ID)).Str("code", growth.CodeOf(err).String()).Msg("post not read back")
		}
		return nil
	}
}

// search looks for the post of an unknown outcome among the account's newest.
func (a *Aftercare) search(ctx context.Context, r store.DueRead, account growth.Account, token string) error {
	posts, err := a.LinkedIn.Newest(ctx, token, account.URN)
	if err != nil {
		return err
	}
	for _, p := range posts {
		if !p.Is(r.Post) || p.CreatedAt.Before(r.CreatedAt.Add(-clockSlack)) {
			continue
		}
		found, err := a.Store.In(r.Workspace).FoundOnLinkedIn(ctx, r.ID, p.URN, a.LinkedIn.PageOf(p.URN))
		if err != nil {
			return err
		}
		if found {
			a.Log.Info().Str("publication_id", string(r.ID)).Msg("unknown publication was found on LinkedIn")
			if a.Wake != nil {
				a.Wake()
			}
			return nil
		}
	}
	return nil
}

// check compares a published post with what was meant.
func (a *Aftercare) check(ctx context.Context, r store.DueRead, account growth.Account, token string) error {
	sc := a.Store.In(r.Workspace)
	if r.URN == "" {
		return sc.EndReads(ctx, r.ID, false)
	}
	p, err := a.LinkedIn.Read(ctx, token, account.URN, r.URN)
	if err != nil {
		return err
	}
	same := p.Is(r.Post)
	if !same {
		a.Log.Warn().Str("publication_id", string(r.ID)).Msg("LinkedIn shows another text than was sent")
	}
	return sc.EndReads(ctx, r.ID, same)
}

// Deleter takes posts off LinkedIn.
type Deleter interface {
	Delete(ctx context.Context, token, author, urn string) error
}

// Unpublish takes a published post off LinkedIn and marks it. It may be asked for again: what is deleted stays deleted.
// A post of the real LinkedIn is not looked for at the simulator, nor the other way round: there it would pass for gone.
func Unpublish(ctx context.Context, sc store.Scoped, li Deleter, open func(envelope, owner string) ([]byte, error), simulated bool, id growth.PublicationID) (growth.Publication, error) {
	const op = "tasks.Unpublish"
	p, err := sc.Publication(ctx, id)
	if err != nil || p.State == growth.PublicationDeleted {
		return p, err
	}
	if p.State != growth.PublicationPublished {
		return p, growth.Errorf(growth.Conflict, op, "only a published post can be deleted; this publication is %s", p.State)
	}
	if p.URN == "" {
		return p, growth.Errorf(growth.Conflict, op, "LinkedIn did not name this post: delete it on LinkedIn")
	}
	account, envelope, err := sc.Account(ctx, p.AccountID)
	if err != nil {
		return p, err
	}
	if account.Simulated != simulated || p.Simulated != simulated {
		return p, growth.Errorf(growth.Conflict, op, "a real post is not deleted at the simulator, nor a simulated one at LinkedIn")
	}
	token, err := open(envelope, string(account.ID))
	if err != nil {
		return p, growth.Errorf(growth.Conflict, op, "the stored token does not open: connect the account again")
	}
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	if err := li.Delete(ctx, string(token), account.URN, p.URN); err != nil {
		if growth.CodeOf(err) == growth.KeyRejected {
			return p, growth.Errorf(growth.Conflict, op, "LinkedIn turned the account's token down: connect the account again")
		}
		return p, err
	}
	return sc.MarkDeleted(ctx, id)
}
