package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/auth"
	"github.com/zakibelm/astrogrowth/internal/content"
	"github.com/zakibelm/astrogrowth/store"
	"github.com/zakibelm/astrogrowth/tasks"
)

// ContentView is a piece of content with the post that it would make.
type ContentView struct {
	growth.Content
	Preview content.Preview   `json:"preview"`
	Links   map[string]string `json:"links"`
}

func contentView(c growth.Content) ContentView {
	self := "/v1/contents/" + string(c.ID)
	return ContentView{
		Content: c, Preview: content.PreviewOf(content.Draft{Title: c.Title, Body: c.Body, Hashtags: c.Hashtags}),
		Links: map[string]string{"self": self, "approve": self + "/approve", "reject": self + "/reject", "versions": self + "/versions", "decisions": self + "/decisions"},
	}
}

type contentOutput struct {
	ETag string `header:"ETag" doc:"The hash of the text: give it back as If-Match to decide on exactly this text"`
	Body ContentView
}

func shown(c growth.Content, err error) (*contentOutput, error) {
	if err != nil {
		return nil, err
	}
	return &contentOutput{ETag: `"` + c.Hash + `"`, Body: contentView(c)}, nil
}

func (a *api) contents(h huma.API) {
	list := op(http.MethodGet, "/v1/contents", "contents", "List content, newest first", auth.ScopeRead, 200)
	list.Description = "The review queue is `?status=in_review`; what the machine approved and a person has yet to look at is `?audit=open`."
	register(h, list, a.listContents)
	register(h, op(http.MethodGet, "/v1/contents/{id}", "contents", "Read a piece of content, with the post that it would make", auth.ScopeRead, 200), a.getContent)
	edit := op(http.MethodPatch, "/v1/contents/{id}", "contents", "Edit a piece of content; it has to be approved again", auth.ScopeApprove, 200)
	edit.Description = "What is left out stays. Each edit is kept as a version. With `If-Match` (or `hash`) only the text that was read is edited."
	register(h, edit, a.editContent)
	approve := op(http.MethodPost, "/v1/contents/{id}/approve", "contents", "Approve the text as it stands", auth.ScopeApprove, 200)
	approve.Description = "Needs the hash of the text that was read, as `If-Match` or as `hash`: it stands for the text, its media and its account. A text that was edited since is not approved (409). " +
		"`held` names the posts of the text that wait all the same, because their time has passed; approving it again with `late` decides about them."
	register(h, approve, a.approveContent)
	register(h, op(http.MethodPost, "/v1/contents/{id}/reject", "contents", "Turn the text down; the reason is told to whoever writes the brand's next ones", auth.ScopeApprove, 200), a.rejectContent)
	a.contentHistory(h)
}

type listContentsInput struct {
	PageParams
	Status   string `query:"status" enum:"draft,in_review,approved,rejected,scheduled,publishing,published,unknown,failed"`
	Brand    string `query:"brand_id" format:"uuid"`
	Campaign string `query:"campaign_id" format:"uuid"`
	Job      string `query:"job_id" format:"uuid"`
	Lead     string `query:"lead_id" format:"uuid"`
	Audit    string `query:"audit" enum:"open,kept,overturned" doc:"open: approved by the machine, in the sample, and seen by nobody yet"`
	MinScore int    `query:"min_score" minimum:"0" maximum:"100"`
	MaxScore int    `query:"max_score" minimum:"0" maximum:"100" default:"100"`
}

func (in listContentsInput) filter() store.ContentFilter {
	f := store.ContentFilter{
		Status: growth.ContentStatus(in.Status), Brand: growth.BrandID(in.Brand), Campaign: growth.CampaignID(in.Campaign),
		Job: growth.JobID(in.Job), Lead: growth.LeadID(in.Lead), Audit: growth.AuditState(in.Audit),
	}
	if in.MinScore > 0 {
		f.MinScore = &in.MinScore
	}
	if in.MaxScore < 100 {
		f.MaxScore = &in.MaxScore
	}
	return f
}

func (a *api) listContents(ctx context.Context, in *listContentsInput) (*struct{ Body List[ContentView] }, error) {
	p, err := in.page()
	if err != nil {
		return nil, err
	}
	cs, err := a.Store.In(who(ctx).Workspace).FindContents(ctx, in.filter(), p)
	if err != nil {
		return nil, err
	}
	views := make([]ContentView, 0, len(cs))
	for _, c := range cs {
		views = append(views, contentView(c))
	}
	return &struct{ Body List[ContentView] }{listOf(views, in.Limit, func(c ContentView) string { return string(c.ID) })}, nil
}

func (a *api) getContent(ctx context.Context, in *IDInput) (*contentOutput, error) {
	return shown(a.Store.In(who(ctx).Workspace).Content(ctx, growth.ContentID(in.ID)))
}

// MatchHeader names the text that was read. (Exported because the framework looks into exported fields only.)
type MatchHeader struct {
	IfMatch string `header:"If-Match" maxLength:"100" doc:"The ETag, or the hash, of the text that was read"`
}

// seen is the hash of the text that the caller has read; the header and the body must not contradict each other.
func (m MatchHeader) seen(hash string) (string, error) {
	match := strings.Trim(strings.TrimPrefix(strings.TrimSpace(m.IfMatch), "W/"), `"`)
	if match != "" && hash != "" && match != hash {
		return "", growth.InvalidField("api.seen", "body.hash", "If-Match and hash name two texts: give one of them")
	}
	return first(match, hash), nil
}

type editInput struct {
	IDInput
	MatchHeader
	Body struct {
		Hash        string    `json:"hash,omitempty" doc:"Edit only the text that has this hash"`
		Title       *string   `json:"title,omitempty" maxLength:"300"`
		Body        *string   `json:"body,omitempty" maxLength:"12000"`
		Hashtags    []string  `json:"hashtags,omitempty" maxItems:"10"`
		ImagePrompt *string   `json:"image_prompt,omitempty" maxLength:"2000"`
		Media       *[]string `json:"media,omitempty" maxItems:"20" doc:"Ids of media, in the order in which they are shown"`
		AccountID   *string   `json:"account_id,omitempty" doc:"The only LinkedIn account that may post it; empty: any of the workspace"`
	}
}

func (a *api) editContent(ctx context.Context, in *editInput) (*contentOutput, error) {
	sc := a.Store.In(who(ctx).Workspace)
	c, err := sc.Content(ctx, growth.ContentID(in.ID))
	if err != nil {
		return nil, err
	}
	hash, err := in.seen(in.Body.Hash)
	if err != nil {
		return nil, err
	}
	if hash != "" && hash != c.Hash {
		return nil, growth.Errorf(growth.Conflict, "api.editContent", "the content's hash is %s: read it again before you edit it", c.Hash)
	}
	set(&c.Title, in.Body.Title)
	set(&c.Body, in.Body.Body)
	set(&c.ImagePrompt, in.Body.ImagePrompt)
	if in.Body.Hashtags != nil {
		c.Hashtags = in.Body.Hashtags
	}
	if err := setMedia(&c, in.Body.Media); err != nil {
		return nil, err
	}
	if err := setAccount(ctx, sc, &c, in.Body.AccountID); err != nil {
		return nil, err
	}
	if c, err = checked(ctx, sc, c); err != nil {
		return nil, err
	}
	return shown(sc.EditContent(ctx, c, who(ctx).Name))
}

func setMedia(c *growth.Content, media *[]string) error {
	if media == nil {
		return nil
	}
	for _, m := range *media {
		if !growth.ValidID(m) {
			return growth.InvalidField("api.setMedia", "body.media", "use the ids of media, UUIDs")
		}
	}
	c.Media = make([]string, 0, len(*media))
	for _, m := range *media {
		c.Media = append(c.Media, strings.ToLower(m)) // as the row has it, so that both have one hash
	}
	return nil
}

func setAccount(ctx context.Context, sc store.Scoped, c *growth.Content, account *string) error {
	if account == nil {
		return nil
	}
	if *account == "" {
		c.AccountID = nil
		return nil
	}
	id := growth.AccountID(strings.ToLower(*account))
	if !growth.ValidID(*account) {
		return growth.InvalidField("api.setAccount", "body.account_id", "use the id of a LinkedIn account, a UUID")
	}
	if _, _, err := sc.Account(ctx, id); err != nil {
		if growth.CodeOf(err) != growth.NotFound {
			return err
		}
		return growth.InvalidField("api.setAccount", "body.account_id", "there is no such LinkedIn account in this workspace")
	}
	c.AccountID = &id
	return nil
}

// comparedWith is with how many texts an edited one is compared.
const comparedWith = 50

// checked tries the rules on a text that a person wrote, and gives it its hash. A person writes from knowledge that no
// brief holds, so that figures are not held against one; what the rules say is shown and bars nothing.
func checked(ctx context.Context, sc store.Scoped, c growth.Content) (growth.Content, error) {
	brand, err := brandOf(ctx, sc, c)
	if err != nil {
		return c, err
	}
	var near content.Nearby
	if near.Posts, err = sc.RecentBodiesBut(ctx, c.ID, comparedWith); err != nil {
		return c, err
	}
	sketches, err := sc.SketchesElsewhere(ctx, comparedWith)
	if err != nil {
		return c, err
	}
	for _, s := range sketches {
		near.Elsewhere = append(near.Elsewhere, s)
	}
	draft := content.Draft{Title: c.Title, Body: c.Body, Hashtags: c.Hashtags, ImagePrompt: c.ImagePrompt}
	c.Checks = content.Check(draft, content.Brief{Language: c.Language, Brief: c.Title + "\n" + c.Body}, brand, near)
	c.Score, c.ScoreParts = content.Parts(c.Checks, nil)
	c.Sketch = content.SketchOf(c.Body)
	c.Hash = content.HashOf(c)
	return c, nil
}

// brandOf is the brand whose rules a content is held against: its own, else the workspace's.
func brandOf(ctx context.Context, sc store.Scoped, c growth.Content) (growth.Brand, error) {
	if c.BrandID != nil {
		return sc.Brand(ctx, *c.BrandID)
	}
	ws, err := sc.Workspace(ctx)
	if err != nil || ws.Settings.Brand == nil {
		return growth.Brand{}, err
	}
	return *ws.Settings.Brand, nil
}

type approveInput struct {
	IDInput
	MatchHeader
	Body *struct {
		Hash string `json:"hash,omitempty" doc:"The hash of the text that was read; a text that was edited since is not approved"`
		Late string `json:"late,omitempty" enum:"ask,publish,next_slot" doc:"What becomes of posts of this text whose time has passed: ask (they wait as held), publish, or next_slot. Default: what the account's posting plan says"`
	} `required:"false"`
}

// ApprovalView is a text that was approved, with the posts of it that wait all the same.
type ApprovalView struct {
	ContentView
	Held []growth.HeldPost `json:"held" doc:"Posts whose time had passed, and that a person has to let go"`
}

type approvalOutput struct {
	ETag string `header:"ETag" doc:"The hash of the text"`
	Body ApprovalView
}

func (a *api) approveContent(ctx context.Context, in *approveInput) (*approvalOutput, error) {
	hash, late := "", growth.LatePolicy("")
	if in.Body != nil {
		hash, late = in.Body.Hash, growth.LatePolicy(in.Body.Late)
	}
	hash, err := in.seen(hash)
	if err != nil {
		return nil, err
	}
	if hash == "" {
		return nil, growth.InvalidField("api.approveContent", "body.hash", "give the hash of the text that you have read, here or as If-Match")
	}
	out, err := tasks.Approve(ctx, a.Store.In(who(ctx).Workspace), growth.ContentID(in.ID), hash, who(ctx).Name, late)
	if err != nil {
		return nil, err
	}
	a.Queue.Wake() // publish jobs may have waited for this
	return &approvalOutput{ETag: `"` + out.Hash + `"`, Body: ApprovalView{ContentView: contentView(out.Content), Held: out.Held}}, nil
}

type rejectInput struct {
	IDInput
	MatchHeader
	Body struct {
		Hash   string `json:"hash,omitempty"`
		Reason string `json:"reason" minLength:"1" maxLength:"1000"`
	}
}

func (a *api) rejectContent(ctx context.Context, in *rejectInput) (*contentOutput, error) {
	hash, err := in.seen(in.Body.Hash)
	if err != nil {
		return nil, err
	}
	out, err := a.Store.In(who(ctx).Workspace).DecideContent(ctx, growth.ContentID(in.ID), store.Verdict{Hash: hash, Reason: in.Body.Reason, By: who(ctx).Name})
	a.Queue.Wake()
	return shown(out.Content, err)
}
