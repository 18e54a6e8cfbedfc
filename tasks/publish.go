package tasks

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/content"
	"github.com/zakibelm/astrogrowth/internal/limit"
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

	Images       []string         `json:"images,omitempty" doc:"Ids of /v1/media, or addresses of pictures, in their order"`
	AltTexts     []string         `json:"alt_texts,omitempty" doc:"For images that are addresses, in the order of images; a picture of /v1/media has its own"`
	Mentions     []growth.Mention `json:"mentions,omitempty" doc:"The first @Name in the text becomes a link"`
	FirstComment string           `json:"first_comment,omitempty" doc:"Written under the post once it is there; organisation pages only"`
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
	case linkedin.Length(a.Text) > linkedin.MaxText:
		return growth.InvalidField(op, "text", "LinkedIn takes at most %d characters; this has %d", linkedin.MaxText, linkedin.Length(a.Text))
	case a.Visibility != "" && a.Visibility != "PUBLIC" && a.Visibility != "CONNECTIONS":
		return growth.InvalidField(op, "visibility", "use PUBLIC or CONNECTIONS")
	case linkedin.Length(a.FirstComment) > linkedin.MaxComment:
		return growth.InvalidField(op, "first_comment", "LinkedIn takes at most %d characters; this has %d", linkedin.MaxComment, linkedin.Length(a.FirstComment))
	}
	return a.validateContent()
}

// Publisher sends one post with one request, and its images before it.
type Publisher interface {
	Publish(ctx context.Context, token string, post growth.Post) (linkedin.Receipt, error)
	UploadImage(ctx context.Context, token, owner string, api growth.PostAPI, data []byte) (string, error)
	PageOf(urn string) string
	Version() string
}

// Windows counts posts where every worker sees it. Postgres has the truth: what Windows has lost, the claim still holds.
type Windows interface {
	AllowOnce(ctx context.Context, key, name string, windows ...limit.Window) (limit.Decision, error)
	Forget(ctx context.Context, key, name string) error
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
	API       growth.PostAPI                               // empty: the Posts API
	Windows   Windows                                      // nil: Postgres alone
	Fetch     *http.Client                                 // of images that are addresses; see FetchClient
	Settle    time.Duration                                // between the upload of an image and its post
	Report    Reporter                                     // hears that LinkedIn retired the version; nil: nobody
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
	c, err := w.content(ctx, job)
	if err != nil {
		return err
	}
	account, token, err := w.account(ctx, job, c)
	if err != nil {
		return err
	}
	d, err := w.draft(ctx, job, account, c)
	if err != nil {
		return err
	}
	p, err := w.prepare(ctx, job, d)
	if err != nil {
		return err
	}
	switch p.State {
	case growth.PublicationPublished, growth.PublicationDeleted: // an earlier attempt published and could not end the job
		return job.Complete(published{PublicationID: p.ID, URN: p.URN, URL: p.URL, PublishedAt: *p.PublishedAt, Simulated: p.Simulated}, nil)
	case growth.PublicationPublishing: // an earlier attempt claimed it and nobody knows what it sent
		return w.unknown(job, growth.Errorf(growth.Uncertain, "tasks.Publish", "%s", store.SenderLost))
	case growth.PublicationUnknown:
		return &WaitError{Reason: growth.WaitOutcomeUnknown, Err: growth.Errorf(growth.Uncertain, "tasks.Publish", "%s", p.Error)}
	case growth.PublicationRejected:
		return growth.Errorf(growth.Conflict, "tasks.Publish", "LinkedIn refused this post: %s", p.Error)
	case growth.PublicationReady:
	}
	if err := w.inTime(ctx, job, account.ID); err != nil {
		return err
	}
	if err := w.ready(ctx, job, &d, token); err != nil {
		return err
	}
	return w.send(ctx, job, d, p, token)
}

// ready waits for what has to be so before a post is claimed: LinkedIn takes our version, the account's windows are
// open, and the images are at LinkedIn.
func (w PublishWorker) ready(ctx context.Context, job *Job[PublishArgs], d *draft, token string) error {
	wait, err := w.Store.LinkedInVersionWait(ctx, w.LinkedIn.Version())
	if err != nil {
		return err
	}
	if wait > 0 {
		return w.retired(wait)
	}
	if err := w.enter(ctx, job, d.account); err != nil {
		return err
	}
	if len(d.images) == 0 {
		return nil
	}
	if err := w.upload(ctx, job, d, token); err != nil {
		w.leave(ctx, job, d.account)
		return w.uploadFault(ctx, d.account, err)
	}
	if _, err = w.prepare(ctx, job, *d); err != nil { // now with the images' names
		w.leave(ctx, job, d.account)
	}
	return err
}

// send claims the post and makes the one request.
func (w PublishWorker) send(ctx context.Context, job *Job[PublishArgs], d draft, p growth.Publication, token string) error {
	began := w.clock().Round(0) // by the clock on the wall: it goes on while a machine sleeps
	claim, err := w.Store.ClaimPublication(ctx, job.Job, job.Fence, w.Spacing, w.PerDay, d.verify)
	if err != nil {
		w.leave(ctx, job, d.account)
	}
	if growth.CodeOf(err) == growth.Throttled {
		return &WaitError{Reason: growth.WaitPostingWindow, Until: time.Now().Add(growth.RetryAfterOf(err)), Err: err}
	}
	if growth.CodeOf(err) == growth.KeyRejected {
		return &WaitError{Reason: growth.WaitReconnect, Err: err}
	}
	if err != nil {
		return err
	}
	if errors.Is(context.Cause(ctx), errLeaseLost) || w.clock().Round(0).Sub(began) > Lease {
		// Nothing was sent. Whoever took this worker for dead may have handed the post to another meanwhile.
		p.State = growth.PublicationReady
		w.leave(ctx, job, d.account)
		job.AlsoSave(settle(job, p))
		return growth.Errorf(growth.Unavailable, "tasks.Publish", "the worker stood still between the claim of the post and its sending")
	}
	sendCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sendTimeout)
	defer cancel()
	receipt, err := w.LinkedIn.Publish(sendCtx, token, claim.Post)
	if err != nil {
		return w.failed(ctx, job, d, p, claim, err)
	}
	_ = w.Store.ResumeLinkedInVersion(sendCtx, w.LinkedIn.Version()) // the next post does it otherwise
	return w.succeeded(job, p, receipt)
}

// content is what the job posts; nil: a text of its own.
func (w PublishWorker) content(ctx context.Context, job *Job[PublishArgs]) (*growth.Content, error) {
	if job.Args.ContentID == "" {
		return nil, nil
	}
	c, err := w.Store.In(job.Job.Workspace).Content(ctx, job.Args.ContentID)
	return &c, err
}

// account finds the account of a job and opens its token. A content that was approved for an account goes out as that one.
func (w PublishWorker) account(ctx context.Context, job *Job[PublishArgs], c *growth.Content) (growth.Account, string, error) {
	sc := w.Store.In(job.Job.Workspace)
	id := job.Args.AccountID
	if id == "" && c != nil && c.AccountID != nil {
		id = *c.AccountID
	}
	if id == "" {
		all, err := sc.Accounts(ctx)
		if err != nil {
			return growth.Account{}, "", err
		}
		switch all = CanPost(all, w.Simulated); len(all) {
		case 0:
			return growth.Account{}, "", growth.InvalidField("tasks.Publish", "account_id", "the workspace has no LinkedIn account that can post: connect one with POST /v1/linkedin/connect")
		case 1:
		default:
			return growth.Account{}, "", growth.InvalidField("tasks.Publish", "account_id", "the workspace has %d LinkedIn accounts: say which one", len(all))
		}
		id = all[0].ID
	}
	a, envelope, err := w.freshAccount(ctx, sc, id)
	if err != nil {
		return a, "", err
	}
	if a.Status != "active" || a.ExpiresAt != nil && a.ExpiresAt.Before(time.Now()) {
		return a, "", &WaitError{Reason: growth.WaitReconnect, Err: growth.Errorf(growth.KeyRejected, "tasks.Publish", "the LinkedIn account %s has to be connected again", a.ID)}
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

// draft is what a job would post.
type draft struct {
	account     growth.Account
	publication growth.Publication
	post        growth.Post
	images      []string // ids of media, or addresses
	allowRepeat bool
}

// draft builds the post, once the content is approved as it stands. Its images have no names at LinkedIn yet.
func (w PublishWorker) draft(ctx context.Context, job *Job[PublishArgs], account growth.Account, c *growth.Content) (draft, error) {
	a := job.Args
	d := draft{account: account, images: a.Images, allowRepeat: a.AllowRepeat}
	d.publication = growth.Publication{
		Workspace: job.Job.Workspace, JobID: job.Job.ID, AccountID: account.ID, Comment: growth.Comment{Text: a.FirstComment},
	}
	d.post = growth.Post{
		AuthorURN: account.URN, Text: a.Text, Visibility: first(a.Visibility, "PUBLIC"), Article: a.Article, Mentions: a.Mentions, API: w.API,
	}
	if a.FirstComment != "" && !organisation(account) {
		return d, growth.InvalidField("tasks.Publish", "first_comment", "LinkedIn takes comments of organisation pages only; this account is a member")
	}
	if c == nil {
		return d, nil
	}
	return d, w.approved(ctx, job, &d, *c)
}

// approved puts a content into a draft: its text, its media, its account, as they were approved.
func (w PublishWorker) approved(ctx context.Context, job *Job[PublishArgs], d *draft, c growth.Content) error {
	const op = "tasks.Publish"
	hash, approved, err := w.Store.In(job.Job.Workspace).ContentHash(ctx, c.ID)
	if err != nil {
		return err
	}
	switch {
	case c.Hash != content.HashOf(c):
		return growth.Errorf(growth.Conflict, op, "the content's text is not the one that its hash stands for")
	case hash != c.Hash: // between the two looks
		return edited()
	case c.AccountID != nil && *c.AccountID != d.account.ID:
		return growth.InvalidField(op, "account_id", "the content was approved for the account %s alone", *c.AccountID)
	case len(c.Media) > 0 && len(job.Args.Images) > 0:
		return growth.InvalidField(op, "images", "the content has media of its own, which were approved with it: leave images out")
	case c.Status == growth.ContentRejected:
		return growth.Errorf(growth.Conflict, op, "the content was rejected")
	case c.Simulated && !w.Simulated:
		return growth.Errorf(growth.Conflict, op, "the simulator wrote this text: it does not go out on a real account; edit it into your own, as new content")
	case !approved:
		return &WaitError{Reason: growth.WaitApproval, Err: growth.Errorf(growth.Conflict, op, "the content is %s: it has to be approved", c.Status)}
	}
	if len(c.Media) > 0 {
		d.images = c.Media
	}
	d.publication.ContentID, d.publication.ContentHash = &c.ID, hash
	d.post.Text = textOf(c)
	return nil
}

// prepare makes the publication, or finds the one that an earlier attempt made.
func (w PublishWorker) prepare(ctx context.Context, job *Job[PublishArgs], d draft) (growth.Publication, error) {
	return w.Store.PreparePublication(ctx, d.publication, job.Fence, d.post, postHash(d.post), d.allowRepeat)
}

// verify is asked inside the claim. The content's digest and its text are made anew from the row as it stands, and what
// lies ready has to be, to the byte, what this attempt has prepared: text, images and account.
func (d draft) verify(post growth.Post, c *growth.Content) error {
	if c != nil && c.Hash != d.publication.ContentHash && c.Hash == content.HashOf(*c) {
		return edited()
	}
	if c != nil && !d.isOf(post, *c) {
		return growth.Errorf(growth.Conflict, "tasks.Publish", "the content is not the one that was approved")
	}
	if !reflect.DeepEqual(post, d.post) {
		return growth.Errorf(growth.Conflict, "tasks.Publish", "the post that lies ready is not the one that was prepared")
	}
	return nil
}

// edited has a post wait whose text was edited under the worker's hands, which is anybody's right. It goes on with the new
// text, as soon as that is approved, or at once where it is already: see Store.WakeWaiting.
func edited() error {
	return &WaitError{Reason: growth.WaitApproval, Err: growth.Errorf(growth.Conflict, "tasks.Publish", "the content was edited while its post was being prepared: the new text has to be approved")}
}

// isOf says whether a post is the content that was approved: its text, its media, its account.
func (d draft) isOf(post growth.Post, c growth.Content) bool {
	if content.HashOf(c) != d.publication.ContentHash || textOf(c) != post.Text || c.AccountID != nil && *c.AccountID != d.account.ID {
		return false
	}
	return len(c.Media) == 0 || slices.EqualFunc(c.Media, post.Images, func(id string, i growth.Image) bool {
		return strings.EqualFold(id, string(i.MediaID))
	})
}

func textOf(c growth.Content) string {
	return content.Text(content.Draft{Title: c.Title, Body: c.Body, Hashtags: c.Hashtags})
}

func organisation(a growth.Account) bool { return strings.HasPrefix(a.URN, "urn:li:organization:") }

// postHash is the digest of what LinkedIn would show, and of whom: two jobs with the same are the same post.
func postHash(post growth.Post) string {
	var media []string
	if a := post.Article; a != nil {
		media = []string{a.URL, a.Title, a.Description}
	}
	for _, i := range post.Images {
		media = append(media, string(i.MediaID))
	}
	for _, m := range post.Mentions {
		media = append(media, m.Name, m.URN)
	}
	return content.Hash(post.Text, "", nil, post.AuthorURN, media)
}

func (w PublishWorker) succeeded(job *Job[PublishArgs], p growth.Publication, r linkedin.Receipt) error {
	now := time.Now().UTC()
	p.State, p.URN, p.URL, p.Simulated, p.PublishedAt = growth.PublicationPublished, r.URN, r.URL, r.Simulated, &now
	if r.Simulated {
		job.Simulated()
	}
	out := published{PublicationID: p.ID, URN: r.URN, URL: r.URL, PublishedAt: now, Simulated: r.Simulated}
	job.IfLost(func(ctx context.Context) error { // the sweep took us for dead, and the publication for unknown: it is not
		_, err := w.Store.In(job.Job.Workspace).AnsweredByLinkedIn(ctx, p.ID, r.URN, r.URL)
		return err
	})
	return job.Complete(out, settle(job, p), event("post.published", map[string]any{"job_id": job.Job.ID, "urn": r.URN, "url": r.URL}))
}

// failed commits what a failed send proves. Only what certainly made no post may be tried again.
func (w PublishWorker) failed(ctx context.Context, job *Job[PublishArgs], d draft, p growth.Publication, claim store.Sendable, err error) error {
	_, conflict := errors.AsType[*linkedin.ConflictError](err)
	if linkedin.Outcome(err) != linkedin.NotCreated || conflict && claim.Conflicts > 0 {
		return w.unknown(job, err)
	}
	dup, ok := errors.AsType[*linkedin.DuplicateError](err)
	if ok && (claim.Resent || claim.Conflicts > 0) {
		// A person said that the post is not there, or LinkedIn itself said so of our first write, and now it says that
		// the post is there: that one is ours, unless another job made it, or may have.
		if dup.URN == "" {
			return w.unknown(job, err)
		}
		whose, lookErr := w.Store.In(job.Job.Workspace).WhosePost(ctx, p.ID, dup.URN)
		switch {
		case lookErr != nil, whose == store.PostDoubtful:
			return w.unknown(job, err)
		case whose == store.PostIts:
			return w.succeeded(job, p, linkedin.Receipt{URN: dup.URN, URL: w.LinkedIn.PageOf(dup.URN), Simulated: w.Simulated})
		}
	}
	w.leave(ctx, job, d.account)
	fault := faultOf(err)
	p.Error = fault.Message
	if ok {
		p.Error += ": " + dup.Error()
		fault.Message = p.Error
	}
	p.State = growth.PublicationRejected
	switch code := growth.CodeOf(err); code {
	case growth.KeyRejected, growth.Throttled, growth.Unavailable, growth.Internal:
		p.State = growth.PublicationReady
	case growth.Forbidden:
		if organisation(d.account) { // see refused
			p.State = growth.PublicationReady
		}
	default:
	}
	job.AlsoSave(func(ctx context.Context, tx *store.Tx) error {
		if conflict {
			if err := tx.NoteConflict(ctx, job.Job.ID); err != nil {
				return err
			}
		}
		return tx.SettlePublication(ctx, job.Job.ID, p)
	})
	if ok {
		return &growth.Error{Code: growth.Conflict, Op: "tasks.Publish", Message: fault.Message, Err: err}
	}
	return w.refused(ctx, d.account, err)
}

// refused says what a refusal before anything was made means for the job: it waits, is tried again, or fails.
func (w PublishWorker) refused(ctx context.Context, a growth.Account, err error) error {
	if v, ok := errors.AsType[*linkedin.VersionError](err); ok {
		return w.stopped(ctx, v, err)
	}
	switch growth.CodeOf(err) {
	case growth.KeyRejected:
		return w.turnedDown(ctx, a, err)
	case growth.Forbidden:
		if organisation(a) { // the member is no administrator of the page (any more), whatever the post is
			return w.barred(ctx, a, err)
		}
		return err
	case growth.Throttled:
		wait := max(growth.RetryAfterOf(err), time.Minute)
		wait += rand.N(min(wait/10, 5*time.Minute)) //nolint:gosec // jobs that wait for one midnight need not come at once
		return &WaitError{Reason: growth.WaitRateLimited, Until: time.Now().Add(wait), Err: err}
	default:
		return err
	}
}

// stopped notes that LinkedIn takes our version no more. It meets every call alike, so nobody else tries for a while.
func (w PublishWorker) stopped(ctx context.Context, v *linkedin.VersionError, err error) error {
	first, stopErr := w.Store.StopLinkedInVersion(ctx, v.Version)
	if stopErr != nil {
		return stopErr
	}
	if first && w.Report != nil {
		w.Report(ctx, err)
	}
	return w.retired(retiredPause)
}

// retiredPause is how long a job waits that was the one to find out; see Store.LinkedInVersionWait.
const retiredPause = 15 * time.Minute

func (w PublishWorker) retired(wait time.Duration) error {
	return &WaitError{Reason: growth.WaitAPIVersion, Until: time.Now().Add(wait), Err: growth.Errorf(
		growth.Unavailable, "tasks.Publish", "LinkedIn has retired version %s of its API: set LINKEDIN_VERSION to a newer one", w.LinkedIn.Version())}
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
