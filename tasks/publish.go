package tasks

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/content"
	"github.com/zakibelm/astrogrowth/internal/linkedin"
	"github.com/zakibelm/astrogrowth/store"
)

// PublishArgs ask for one post on LinkedIn.
type PublishArgs struct {
	ContentID   growth.ContentID `json:"content_id,omitempty"`
	Text        string           `json:"text,omitempty"` // instead of a content; a person vouches for it
	AccountID   growth.AccountID `json:"account_id,omitempty"`
	Article     *growth.Article  `json:"article,omitempty"`
	Visibility  string           `json:"visibility,omitempty"` // PUBLIC (default) or CONNECTIONS
	AllowRepeat bool             `json:"allow_repeat,omitempty"`
}

// Type implements Args.
func (PublishArgs) Type() growth.JobType { return growth.JobLinkedInPublish }

// Validate implements Args.
func (a PublishArgs) Validate() error {
	const op = "tasks.PublishArgs"
	switch {
	case (a.ContentID == "") == (a.Text == ""):
		return growth.InvalidField(op, "content_id", "give either content_id or text, not both")
	case a.ContentID != "" && !growth.ValidID(string(a.ContentID)):
		return growth.InvalidField(op, "content_id", "use the id of a content, a UUID")
	case a.AccountID != "" && !growth.ValidID(string(a.AccountID)):
		return growth.InvalidField(op, "account_id", "use the id of a LinkedIn account, a UUID")
	case linkedin.Length(a.Text) > 3000:
		return growth.InvalidField(op, "text", "LinkedIn takes at most 3000 characters; this has %d", linkedin.Length(a.Text))
	case a.Visibility != "" && a.Visibility != "PUBLIC" && a.Visibility != "CONNECTIONS":
		return growth.InvalidField(op, "visibility", "use PUBLIC or CONNECTIONS")
	case a.Article != nil && (a.Article.URL == "" || a.Article.Title == ""):
		return growth.InvalidField(op, "article", "an article needs a url and a title: LinkedIn fetches neither")
	}
	return nil
}

// Publisher sends one post with one request.
type Publisher interface {
	Publish(ctx context.Context, token string, post growth.Post) (linkedin.Receipt, error)
}

// sendTimeout bounds the one request. It is not cut short when the program stops: an aborted send would be an unknown
// outcome where a finished one is a known one.
const sendTimeout = 20 * time.Second

// PublishWorker makes posts, each at most once.
type PublishWorker struct {
	Store     *store.Store
	LinkedIn  Publisher
	Open      func(envelope, owner string) ([]byte, error) // opens sealed tokens
	Spacing   time.Duration                                // least time between two posts of an account
	PerDay    int                                          // posts of an account in 24 hours
	Simulated bool                                         // LinkedIn is the simulator
	Accounts  *Accounts                                    // refreshes tokens; nil: one that is turned down is dead
	Now       func() time.Time                             // nil: time.Now; what planned times are held against
}

func (w PublishWorker) clock() time.Time {
	if w.Now == nil {
		return time.Now()
	}
	return w.Now()
}

// published is the result of a publish job.
type published struct {
	PublicationID growth.PublicationID `json:"publication_id"`
	URN           string               `json:"urn"`
	URL           string               `json:"url"`
	PublishedAt   time.Time            `json:"published_at"`
	Simulated     bool                 `json:"simulated"`
}

// Work claims the publication, sends it once, and commits what is known of the outcome.
func (w PublishWorker) Work(ctx context.Context, job *Job[PublishArgs]) error {
	account, token, err := w.account(ctx, job)
	if err != nil {
		return err
	}
	p, err := w.prepare(ctx, job, account)
	if err != nil {
		return err
	}
	switch p.State {
	case growth.PublicationPublished: // an earlier attempt published and could not end the job
		return job.Complete(published{PublicationID: p.ID, URN: p.URN, URL: p.URL, PublishedAt: *p.PublishedAt, Simulated: p.Simulated}, nil)
	case growth.PublicationPublishing: // an earlier attempt claimed it and nobody knows what it sent
		return w.unknown(job, growth.Errorf(growth.Uncertain, "tasks.Publish", "an earlier attempt ended while the post was being sent"))
	case growth.PublicationUnknown:
		return &WaitError{Reason: growth.WaitOutcomeUnknown, Err: growth.Errorf(growth.Uncertain, "tasks.Publish", "%s", p.Error)}
	case growth.PublicationRejected:
		return growth.Errorf(growth.Conflict, "tasks.Publish", "LinkedIn refused this post: %s", p.Error)
	case growth.PublicationReady:
	}
	if err := w.inTime(ctx, job, account.ID); err != nil {
		return err
	}
	post, resent, err := w.Store.ClaimPublication(ctx, job.Job, job.Fence, w.Spacing, w.PerDay)
	if growth.CodeOf(err) == growth.Throttled {
		return &WaitError{Reason: growth.WaitPostingWindow, Until: time.Now().Add(growth.RetryAfterOf(err)), Err: err}
	}
	if err != nil {
		return err
	}
	sendCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sendTimeout)
	defer cancel()
	receipt, err := w.LinkedIn.Publish(sendCtx, token, post)
	if err != nil {
		return w.failed(ctx, job, account, p, resent, err)
	}
	return w.succeeded(job, p, receipt)
}

// account finds the account of a job and opens its token.
func (w PublishWorker) account(ctx context.Context, job *Job[PublishArgs]) (growth.Account, string, error) {
	sc := w.Store.In(job.Job.Workspace)
	id := job.Args.AccountID
	if id == "" {
		all, err := sc.Accounts(ctx)
		if err != nil {
			return growth.Account{}, "", err
		}
		if len(all) != 1 {
			return growth.Account{}, "", growth.InvalidField("tasks.Publish", "account_id", "the workspace has %d LinkedIn accounts: say which one", len(all))
		}
		id = all[0].ID
	}
	a, envelope, err := w.freshAccount(ctx, sc, id)
	if err != nil {
		return a, "", err
	}
	if a.Status != "active" || a.ExpiresAt != nil && a.ExpiresAt.Before(time.Now()) {
		return a, "", &WaitError{Reason: growth.WaitReconnect, Err: growth.Errorf(growth.KeyRejected, "tasks.Publish", "the LinkedIn account %s has to be connected again", a.Name)}
	}
	if a.Simulated != w.Simulated {
		return a, "", growth.Errorf(growth.Conflict, "tasks.Publish", "a simulated account cannot post to the real LinkedIn, nor a real one to the simulator")
	}
	token, err := w.Open(envelope, string(a.ID))
	if err != nil {
		return a, "", &WaitError{Reason: growth.WaitReconnect, Err: growth.Errorf(growth.KeyRejected, "tasks.Publish", "the stored token does not open with the keys in ENCRYPTION_KEY and ENCRYPTION_KEYS_OLD")}
	}
	return a, string(token), nil
}

// prepare makes the publication, once the content is approved as it stands.
func (w PublishWorker) prepare(ctx context.Context, job *Job[PublishArgs], account growth.Account) (growth.Publication, error) {
	p := growth.Publication{Workspace: job.Job.Workspace, JobID: job.Job.ID, AccountID: account.ID}
	post := growth.Post{AuthorURN: account.URN, Text: job.Args.Text, Visibility: first(job.Args.Visibility, "PUBLIC"), Article: job.Args.Article}
	if job.Args.ContentID == "" {
		return w.Store.PreparePublication(ctx, p, post, postHash(account, post), job.Args.AllowRepeat)
	}
	sc := w.Store.In(job.Job.Workspace)
	c, err := sc.Content(ctx, job.Args.ContentID)
	if err != nil {
		return p, err
	}
	hash, approved, err := sc.ContentHash(ctx, c.ID)
	if err != nil {
		return p, err
	}
	if hash != content.HashOf(c) {
		return p, growth.Errorf(growth.Conflict, "tasks.Publish", "the content's text is not the one that its hash stands for")
	}
	if c.AccountID != nil && *c.AccountID != account.ID {
		return p, growth.InvalidField("tasks.Publish", "account_id", "the content was approved for the account %s alone", *c.AccountID)
	}
	if c.Status == growth.ContentRejected {
		return p, growth.Errorf(growth.Conflict, "tasks.Publish", "the content was rejected")
	}
	if !approved {
		return p, &WaitError{Reason: growth.WaitApproval, Err: growth.Errorf(growth.Conflict, "tasks.Publish", "the content is %s: it has to be approved", c.Status)}
	}
	p.ContentID, p.ContentHash = &c.ID, hash
	post.Text = content.Text(content.Draft{Title: c.Title, Body: c.Body, Hashtags: c.Hashtags})
	return w.Store.PreparePublication(ctx, p, post, postHash(account, post), job.Args.AllowRepeat)
}

// postHash is the digest of what LinkedIn would show: two jobs with the same are the same post.
func postHash(account growth.Account, post growth.Post) string {
	var media []string
	if a := post.Article; a != nil {
		media = []string{a.URL, a.Title, a.Description}
	}
	return content.Hash(post.Text, "", nil, string(account.ID), media)
}

func (w PublishWorker) succeeded(job *Job[PublishArgs], p growth.Publication, r linkedin.Receipt) error {
	now := time.Now().UTC()
	p.State, p.URN, p.URL, p.Simulated, p.PublishedAt = growth.PublicationPublished, r.URN, r.URL, r.Simulated, &now
	if r.Simulated {
		job.Simulated()
	}
	out := published{PublicationID: p.ID, URN: r.URN, URL: r.URL, PublishedAt: now, Simulated: r.Simulated}
	return job.Complete(out, settle(job, p), event("post.published", map[string]any{"job_id": job.Job.ID, "urn": r.URN, "url": r.URL}))
}

// failed commits what a failed send proves. Only what certainly made no post may be tried again.
func (w PublishWorker) failed(ctx context.Context, job *Job[PublishArgs], a growth.Account, p growth.Publication, resent bool, err error) error {
	if linkedin.Outcome(err) != linkedin.NotCreated {
		return w.unknown(job, err)
	}
	if dup, ok := errors.AsType[*linkedin.DuplicateError](err); ok && resent && dup.URN != "" {
		// A person said that the post is not there, and LinkedIn says that it is: that one is ours.
		return w.succeeded(job, p, linkedin.Receipt{URN: dup.URN, URL: "https://www.linkedin.com/feed/update/" + dup.URN + "/"})
	}
	p.Error = faultOf(err).Message
	code := growth.CodeOf(err)
	if code == growth.KeyRejected || code == growth.Throttled || code == growth.Unavailable {
		p.State = growth.PublicationReady
	} else {
		p.State = growth.PublicationRejected
	}
	job.AlsoSave(settle(job, p))
	switch code {
	case growth.KeyRejected:
		return w.turnedDown(ctx, a, err)
	case growth.Throttled:
		return &WaitError{Reason: growth.WaitRateLimited, Until: time.Now().Add(max(growth.RetryAfterOf(err), time.Minute)), Err: err}
	default:
		return err
	}
}

// unknown leaves the outcome to a person.
func (w PublishWorker) unknown(job *Job[PublishArgs], err error) error {
	p := growth.Publication{State: growth.PublicationUnknown, Error: faultOf(err).Message}
	job.AlsoSave(settle(job, p), event("post.unknown", map[string]any{"job_id": job.Job.ID}))
	return &WaitError{Reason: growth.WaitOutcomeUnknown, Err: err}
}

func settle(job *Job[PublishArgs], p growth.Publication) func(context.Context, *store.Tx) error {
	return func(ctx context.Context, tx *store.Tx) error { return tx.SettlePublication(ctx, job.Job.ID, p) }
}

func event(kind string, data map[string]any) store.NewEvent {
	b, err := json.Marshal(data)
	if err != nil {
		b = []byte("{}") // plain values always encode
	}
	return store.NewEvent{Type: kind, Data: b}
}
