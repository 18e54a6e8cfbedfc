package store_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/store"
)

// owned is one of everything, as one workspace has it.
type owned struct {
	*bed
	job      growth.JobID
	lead     store.SavedLead
	campaign store.Campaign
	content  growth.Content
	brand    growth.Brand
	account  growth.Account
	pub      growth.Publication
	key      store.Key
	schedule growth.ScheduleID
	walk     growth.WalkID
	budget   growth.Budget
	unpriced growth.CallID
	imported store.Import
	media    growth.Media
	erased   growth.LeadID
	planned  growth.JobID
	merged   growth.LeadID
	golden   store.GoldenSet
	source   growth.WebhookSource
	arrived  growth.DeliveryID
	listener growth.Subscription
	told     growth.DeliveryID
	audited  string
}

const someFile = "name,email\nA,a@example.com\n"

func furnished(t *testing.T) owned {
	t.Helper()
	b := newBed(t)
	o := owned{bed: b}
	var err error
	o.campaign, err = b.sc.EnsureCampaign(b.ctx, "spring")
	b.must(err)
	put := named("Chez A", "a.ca")
	put.Campaign = o.campaign.ID
	o.lead = b.put(put)[0]
	o.job = b.qualify(o.lead.Lead.ID, 50, "f1")
	call := ended(started(b, o.job), "0.5")
	o.walk = call.WalkID
	b.must(saveCall(b, call, 0))
	b.exec(`INSERT INTO job_steps (job_id, name, result, fence) VALUES ($1, 'one', '1', 1)`, o.job)
	b.must(b.s.AddCacheCounts(b.ctx, []store.CacheCount{{Workspace: b.ws.ID, Task: growth.TaskSimple, Hits: 3}}))
	o.brand, err = b.sc.CreateBrand(b.ctx, growth.Brand{Name: "Chez A"})
	b.must(err)
	o.content = b.create("Bonjour", growth.ContentInReview)
	o.account = b.account()
	_, err = b.sc.AddConnectLink(b.ctx, store.ConnectLink{ID: growth.NewID(), Scopes: []string{"openid"}}, []byte("ours"), time.Minute)
	b.must(err)
	p := b.prepare(o.account, "Bonjour", nil, false)
	_, err = b.claimPost(p)
	b.must(err)
	b.settle(p, growth.PublicationUnknown, store.Outcome{State: growth.JobWaiting, Waiting: growth.WaitOutcomeUnknown})
	o.pub = b.publication(p.p.ID)
	o.key, err = b.s.AddKey(b.ctx, store.Key{Workspace: b.ws.ID, Name: "k", Prefix: "ag_", Scopes: []string{"read"}}, []byte("hash"))
	b.must(err)
	s := b.schedule(func(s *growth.Schedule) { s.Name, s.Enabled = "weekly", false })
	_, err = b.sc.RunSchedule(b.ctx, s.ID, "x", "", func(growth.Schedule) error { return nil })
	b.must(err)
	o.schedule = s.ID
	_, err = b.sc.AddReview(b.ctx, store.Review{LeadID: o.lead.Lead.ID, Kind: store.ReviewContest, Message: "not so"})
	b.must(err)
	o.budget, err = b.sc.AddBudget(b.ctx, monthly("ours", "5"))
	b.must(err)
	o.imported, err = b.sc.AddImport(b.ctx, store.Import{FileName: "ours.csv"}, strings.NewReader(someFile))
	b.must(err)
	o.media, err = b.sc.PutMedia(b.ctx, growth.Media{Type: "image/png", Width: 1, Height: 1, Frames: 1}, []byte("ours"))
	b.must(err)
	gone := named("Chez Z", "z.ca")
	o.erased = b.put(gone)[0].Lead.ID
	_, err = b.sc.EraseLead(b.ctx, o.erased, "us", nil)
	b.must(err)
	twin := b.put(named("Chez T", "t.ca"))[0].Lead.ID
	_, err = b.sc.MergeLeads(b.ctx, store.Merge{From: twin, Into: o.lead.Lead.ID}, fill, noKeys)
	b.must(err)
	o.merged = twin
	_, err = b.sc.AddRubric(b.ctx, store.Rubric{Name: "ours", Version: "1", Source: "x"})
	b.must(err)
	o.golden, err = b.sc.AddGoldenSet(b.ctx, store.GoldenSet{Name: "ours", Rubric: "ours@1"}, []store.GoldenLead{{}})
	b.must(err)
	o.unpriced = b.open("0.002", growth.CallUnknown)
	o.planned = b.plannedPost(o.account.ID)
	_, err = b.sc.SetAlerts(b.ctx, []store.Alert{{Kind: "unknown_costs", Severity: store.SeverityWarning, Message: "ours"}}, time.Now())
	b.must(err)
	o.webhooks()
	o.audited, err = b.sc.BeginAudit(b.ctx, store.AuditEntry{Operation: "ours", Target: o.key.ID})
	b.must(err)
	return o
}

// second is the error of a call.
func second[T any](_ T, err error) error { return err }

// absent says that a call found no such thing in its workspace.
func absent(err error) (any, bool) { return err, growth.CodeOf(err) == growth.NotFound && err != nil }

// nothing says that a list, or a sum, is empty.
func nothing[T any](v T, err error) (any, bool) {
	r := reflect.ValueOf(v)
	switch r.Kind() {
	case reflect.Slice, reflect.Map:
		return []any{v, err}, err == nil && r.Len() == 0
	default:
		return []any{v, err}, err == nil && r.IsZero()
	}
}

// theirs has, for each method of store.Scoped, what another workspace's ids must give.
var theirs = map[string]func(sc store.Scoped, o owned) (any, bool){
	"Job":        func(sc store.Scoped, o owned) (any, bool) { _, err := sc.Job(o.ctx, o.job); return absent(err) },
	"CancelJob":  func(sc store.Scoped, o owned) (any, bool) { _, err := sc.CancelJob(o.ctx, o.job); return absent(err) },
	"RetryJob":   func(sc store.Scoped, o owned) (any, bool) { return absent(sc.RetryJob(o.ctx, o.job)) },
	"CallsOfJob": func(sc store.Scoped, o owned) (any, bool) { return nothing(sc.CallsOfJob(o.ctx, o.job)) },
	"CallsOfWalk": func(sc store.Scoped, o owned) (any, bool) {
		_, err := sc.CallsOfWalk(o.ctx, o.walk)
		return absent(err)
	},
	"StepsOfJob": func(sc store.Scoped, o owned) (any, bool) { return nothing(sc.StepsOfJob(o.ctx, o.job)) },
	"Calls":      func(sc store.Scoped, o owned) (any, bool) { return nothing(sc.Calls(o.ctx, store.Page{})) },
	"LedgerRows": func(sc store.Scoped, o owned) (any, bool) {
		return nothing(sc.LedgerRows(o.ctx, store.CallFilter{Job: o.job}, store.Page{}))
	},
	"SettleCall": func(sc store.Scoped, o owned) (any, bool) {
		_, err := sc.SettleCall(o.ctx, o.unpriced, growth.USD(decimal.Zero, growth.CostSettled), "them")
		return absent(err)
	},
	"BudgetStatus": func(sc store.Scoped, o owned) (any, bool) {
		return nothing(sc.BudgetStatus(o.ctx, o.budget.ID, time.Now()))
	},
	"ChangeBudget": func(sc store.Scoped, o owned) (any, bool) {
		_, err := sc.ChangeBudget(o.ctx, o.budget.ID, store.BudgetChange{})
		return absent(err)
	},
	"DeleteBudget": func(sc store.Scoped, o owned) (any, bool) { return absent(sc.DeleteBudget(o.ctx, o.budget.ID)) },
	"AddBudget": func(sc store.Scoped, o owned) (any, bool) {
		_, err := sc.AddBudget(o.ctx, monthly("ours", "1")) // the same name: it is free here
		return err, err == nil
	},
	"CountJobs": func(sc store.Scoped, o owned) (any, bool) { return nothing(sc.CountJobs(o.ctx)) },
	"QueueStates": func(sc store.Scoped, o owned) (any, bool) {
		states, err := sc.QueueStates(o.ctx)
		for _, q := range states {
			if len(q.Jobs) > 0 || q.Paused {
				return states, false
			}
		}
		return err, err == nil
	},
	"Replayed": func(sc store.Scoped, o owned) (any, bool) {
		id, found, err := sc.Replayed(o.ctx, "their key", store.HashBody(nil))
		return id, err == nil && !found
	},
	"Pause": func(sc store.Scoped, o owned) (any, bool) {
		err := sc.Pause(o.ctx, "content", "them")
		return err, err == nil
	},
	"Resume": func(sc store.Scoped, o owned) (any, bool) { err := sc.Resume(o.ctx, "content"); return err, err == nil },
	"RetryAll": func(sc store.Scoped, o owned) (any, bool) {
		n, err := sc.RetryAll(o.ctx, store.JobFilter{}, 200)
		return n, err == nil && n == 0
	},
	"CacheDays": func(sc store.Scoped, o owned) (any, bool) { return nothing(sc.CacheDays(o.ctx, time.Time{})) },
	"CacheForgot": func(sc store.Scoped, o owned) (any, bool) {
		err := sc.CacheForgot(o.ctx, []growth.LeadID{o.erased})
		return err, err == nil
	},
	"AddChunk": func(sc store.Scoped, o owned) (any, bool) {
		return absent(sc.AddChunk(o.ctx, o.imported.ID, growth.NewID(), 0, []growth.Lead{{BusinessName: "Theirs"}}))
	},
	"Chunk": func(sc store.Scoped, o owned) (any, bool) { return nothing(sc.Chunk(o.ctx, o.imported.ID, 0)) },
	"UseReading": func(sc store.Scoped, o owned) (any, bool) {
		return absent(sc.UseReading(o.ctx, o.imported.ID, growth.NewID()))
	},
	"DropReading": func(sc store.Scoped, o owned) (any, bool) {
		err := sc.DropReading(o.ctx, o.imported.ID, growth.NewID())
		return err, err == nil
	},
	"AddFeedback": func(sc store.Scoped, o owned) (any, bool) {
		_, err := sc.AddFeedback(o.ctx, store.Feedback{Job: o.job})
		return absent(err)
	},
	"AddReview": func(sc store.Scoped, o owned) (any, bool) {
		score := 1
		_, err := sc.AddReview(o.ctx, store.Review{LeadID: o.lead.Lead.ID, Kind: store.ReviewOverride, Score: &score})
		return absent(err)
	},
	"Reviews":      func(sc store.Scoped, o owned) (any, bool) { return nothing(sc.Reviews(o.ctx, o.lead.Lead.ID)) },
	"OpenContests": func(sc store.Scoped, o owned) (any, bool) { return nothing(sc.OpenContests(o.ctx, store.Page{})) },
	"NewestQualification": func(sc store.Scoped, o owned) (any, bool) {
		_, _, ok, err := sc.NewestQualification(o.ctx, o.lead.Lead.ID)
		return err, err == nil && !ok
	},
	"CountLeads": func(sc store.Scoped, o owned) (any, bool) { return nothing(sc.CountLeads(o.ctx)) },
	"TallyCalls": func(sc store.Scoped, o owned) (any, bool) { return nothing(sc.TallyCalls(o.ctx, time.Time{})) },
	"Latencies":  func(sc store.Scoped, o owned) (any, bool) { return nothing(sc.Latencies(o.ctx, time.Time{})) },
	"Attention":  func(sc store.Scoped, o owned) (any, bool) { return nothing(sc.Attention(o.ctx)) },
	"Keys": func(sc store.Scoped, o owned) (any, bool) {
		return nothing(sc.Keys(o.ctx, store.ReachAgency, store.Page{}))
	},
	"Accounts":     func(sc store.Scoped, o owned) (any, bool) { return nothing(sc.Accounts(o.ctx)) },
	"Campaigns":    func(sc store.Scoped, o owned) (any, bool) { return nothing(sc.Campaigns(o.ctx, store.Page{})) },
	"RankedLeads":  func(sc store.Scoped, o owned) (any, bool) { return nothing(sc.RankedLeads(o.ctx, store.Ranked{})) },
	"RecentBodies": func(sc store.Scoped, o owned) (any, bool) { return nothing(sc.RecentBodies(o.ctx, 10)) },
	"RevokeKey": func(sc store.Scoped, o owned) (any, bool) {
		return absent(sc.RevokeKey(o.ctx, store.ReachAgency, o.key.ID))
	},
	"RotateKey": func(sc store.Scoped, o owned) (any, bool) {
		return absent(second(sc.RotateKey(o.ctx, store.ReachAgency, o.key.ID, 0, "ag_", []byte("their hash"))))
	},
	"BeginAudit": func(sc store.Scoped, o owned) (any, bool) {
		id, err := sc.BeginAudit(o.ctx, store.AuditEntry{Operation: "theirs"})
		return err, err == nil && id != o.audited
	},
	"EndAudit": func(sc store.Scoped, o owned) (any, bool) {
		err := sc.EndAudit(o.ctx, o.audited, 500)
		return err, err == nil // that nothing changes is seen in the snapshot
	},
	"Audit": func(sc store.Scoped, o owned) (any, bool) {
		return nothing(sc.Audit(o.ctx, store.AuditFilter{Operation: "ours"}, store.Page{}))
	},
	"Lead": func(sc store.Scoped, o owned) (any, bool) {
		_, err := sc.Lead(o.ctx, o.lead.Lead.ID)
		return absent(err)
	},
	"Content": func(sc store.Scoped, o owned) (any, bool) {
		_, err := sc.Content(o.ctx, o.content.ID)
		return absent(err)
	},
	"Brand": func(sc store.Scoped, o owned) (any, bool) {
		_, err := sc.Brand(o.ctx, o.brand.ID)
		return absent(err)
	},
	"Brands": func(sc store.Scoped, o owned) (any, bool) { return nothing(sc.Brands(o.ctx, store.Page{})) },
	"DefaultBrand": func(sc store.Scoped, o owned) (any, bool) {
		_, found, err := sc.DefaultBrand(o.ctx)
		return nothing(found, err)
	},
	"CreateBrand": func(sc store.Scoped, o owned) (any, bool) {
		b, err := sc.CreateBrand(o.ctx, growth.Brand{Name: o.brand.Name}) // the same name: it is free here
		return err, err == nil && b.ID != o.brand.ID
	},
	"UpdateBrand": func(sc store.Scoped, o owned) (any, bool) {
		_, err := sc.UpdateBrand(o.ctx, o.brand.ID, func(b *growth.Brand) error { b.Name = "mine"; return nil })
		return absent(err)
	},
	"DeleteBrand": func(sc store.Scoped, o owned) (any, bool) { return absent(sc.DeleteBrand(o.ctx, o.brand.ID)) },
	"TrustOf":     func(sc store.Scoped, o owned) (any, bool) { return nothing(sc.TrustOf(o.ctx, o.brand.ID, 10)) },
	"RejectReasons": func(sc store.Scoped, o owned) (any, bool) {
		return nothing(sc.RejectReasons(o.ctx, o.brand.ID, 10))
	},
	"FindContents": func(sc store.Scoped, o owned) (any, bool) {
		return nothing(sc.FindContents(o.ctx, store.ContentFilter{}, store.Page{}))
	},
	"RecentBodiesBut": func(sc store.Scoped, o owned) (any, bool) { return nothing(sc.RecentBodiesBut(o.ctx, "", 10)) },
	// The one look across: digests alone.
	"SketchesElsewhere": func(sc store.Scoped, o owned) (any, bool) {
		got, err := sc.SketchesElsewhere(o.ctx, 10)
		for _, s := range got {
			if strings.Contains(string(s), o.content.Body) {
				return string(s), false
			}
		}
		return err, err == nil
	},
	"ContentVersions": func(sc store.Scoped, o owned) (any, bool) {
		_, err := sc.ContentVersions(o.ctx, o.content.ID, 0, 10)
		return absent(err)
	},
	"ContentVersion": func(sc store.Scoped, o owned) (any, bool) {
		_, err := sc.ContentVersion(o.ctx, o.content.ID, 1)
		return absent(err)
	},
	"ContentDecisions": func(sc store.Scoped, o owned) (any, bool) {
		_, err := sc.ContentDecisions(o.ctx, o.content.ID, store.Page{})
		return absent(err)
	},
	"OverduePosts": func(sc store.Scoped, o owned) (any, bool) {
		return nothing(sc.OverduePosts(o.ctx, []growth.ContentID{o.content.ID}))
	},
	"DecideContent": func(sc store.Scoped, o owned) (any, bool) {
		_, err := sc.DecideContent(o.ctx, o.content.ID, store.Verdict{Approve: true})
		return absent(err)
	},
	"RestoreContent": func(sc store.Scoped, o owned) (any, bool) {
		_, err := sc.RestoreContent(o.ctx, o.content, 1, "x")
		return absent(err)
	},
	"LeadsToWriteFor": func(sc store.Scoped, o owned) (any, bool) {
		return nothing(sc.LeadsToWriteFor(o.ctx, store.ContentWanted{Campaign: o.campaign.ID, Limit: 10}))
	},
	"TopicsWritten": func(sc store.Scoped, o owned) (any, bool) {
		return nothing(sc.TopicsWritten(o.ctx, o.campaign.ID, []string{"h"}))
	},
	"Contents":     func(sc store.Scoped, o owned) (any, bool) { return nothing(sc.Contents(o.ctx, "", store.Page{})) },
	"Publications": func(sc store.Scoped, o owned) (any, bool) { return nothing(sc.Publications(o.ctx, "", store.Page{})) },
	"ContentHash": func(sc store.Scoped, o owned) (any, bool) {
		_, _, err := sc.ContentHash(o.ctx, o.content.ID)
		return absent(err)
	},
	"Account": func(sc store.Scoped, o owned) (any, bool) {
		_, token, err := sc.Account(o.ctx, o.account.ID)
		v, ok := absent(err)
		return v, ok && token == ""
	},
	"AccountCredential": func(sc store.Scoped, o owned) (any, bool) {
		_, c, err := sc.AccountCredential(o.ctx, o.account.ID)
		v, ok := absent(err)
		return v, ok && c == store.Credential{}
	},
	"ChangeAccount": func(sc store.Scoped, o owned) (any, bool) {
		label := "mine"
		_, err := sc.ChangeAccount(o.ctx, o.account.ID, store.AccountChange{Label: &label})
		return absent(err)
	},
	"ForgetAccount": func(sc store.Scoped, o owned) (any, bool) {
		_, c, _, err := sc.ForgetAccount(o.ctx, o.account.ID)
		v, ok := absent(err)
		return v, ok && c == store.Credential{}
	},
	"PostsAtStake": func(sc store.Scoped, o owned) (any, bool) {
		posts, n, err := sc.PostsAtStake(o.ctx, o.account.ID, time.Time{}, 10)
		return []any{posts, err}, err == nil && n == 0 && len(posts) == 0
	},
	"AddConnectLink": func(sc store.Scoped, o owned) (any, bool) {
		_, err := sc.AddConnectLink(o.ctx, store.ConnectLink{ID: growth.NewID(), Account: o.account.ID, Scopes: []string{"openid"}}, []byte("theirs"), time.Minute)
		return absent(err)
	},
	"Connect": func(sc store.Scoped, o owned) (any, bool) { // the same member: the other workspace's account stays as it is
		c, err := sc.Connect(o.ctx, o.account, store.Grant{Member: o.account.URN, Scopes: []string{"w_member_social"}},
			func(growth.AccountID) (store.Credential, error) { return store.Credential{Token: "t"}, nil })
		return err, err == nil && c.Account.ID != o.account.ID && len(c.Renewed)+len(c.Lost) == 0
	},
	"Publication": func(sc store.Scoped, o owned) (any, bool) {
		_, err := sc.Publication(o.ctx, o.pub.ID)
		return absent(err)
	},
	"Settle": func(sc store.Scoped, o owned) (any, bool) {
		_, err := sc.Settle(o.ctx, o.pub.ID, store.SettleSendAgain, "", "")
		return absent(err)
	},
	"PostedBy": func(sc store.Scoped, o owned) (any, bool) {
		return nothing(sc.PostedBy(o.ctx, []growth.PublicationID{o.pub.ID}))
	},
	"ApproveContent": func(sc store.Scoped, o owned) (any, bool) {
		_, err := sc.ApproveContent(o.ctx, o.content.ID, "", "x")
		return absent(err)
	},
	"RejectContent": func(sc store.Scoped, o owned) (any, bool) {
		_, err := sc.RejectContent(o.ctx, o.content.ID, "", "x")
		return absent(err)
	},
	"EditContent": func(sc store.Scoped, o owned) (any, bool) {
		c := o.content
		c.Body, c.Hash = "x", "y"
		_, err := sc.EditContent(o.ctx, c, "x")
		return absent(err)
	},
	"LeadByRef": func(sc store.Scoped, o owned) (any, bool) {
		_, err := sc.LeadByRef(o.ctx, "1")
		return absent(err)
	},
	"CampaignByRef": func(sc store.Scoped, o owned) (any, bool) {
		_, err := sc.CampaignByRef(o.ctx, "1")
		return absent(err)
	},
	"CampaignProgress": func(sc store.Scoped, o owned) (any, bool) {
		_, err := sc.CampaignProgress(o.ctx, o.campaign.ID)
		return absent(err)
	},
	"Leads": func(sc store.Scoped, o owned) (any, bool) {
		return nothing(sc.Leads(o.ctx, store.LeadFilter{Campaign: o.campaign.ID}, store.Page{}))
	},
	"Jobs": func(sc store.Scoped, o owned) (any, bool) {
		return nothing(sc.Jobs(o.ctx, store.JobFilter{LeadID: o.lead.Lead.ID}, store.Page{}))
	},
	"Events": func(sc store.Scoped, o owned) (any, bool) { return nothing(sc.Events(o.ctx, 0, o.job, 10)) },
	"EventsAfter": func(sc store.Scoped, o owned) (any, bool) {
		return nothing(sc.EventsAfter(o.ctx, growth.EventCursor{}, o.job, 10))
	},
	"WhosePost": func(sc store.Scoped, o owned) (any, bool) {
		return nothing(sc.WhosePost(o.ctx, o.pub.ID, "urn:li:share:1"))
	},
	"AnsweredByLinkedIn": func(sc store.Scoped, o owned) (any, bool) {
		return nothing(sc.AnsweredByLinkedIn(o.ctx, o.pub.ID, "urn:li:share:1", "u"))
	},
	"LatestQualification": func(sc store.Scoped, o owned) (any, bool) {
		_, ok, err := sc.LatestQualification(o.ctx, o.lead.Lead.ID, "f1")
		return nothing(ok, err)
	},
	"Qualifications": func(sc store.Scoped, o owned) (any, bool) {
		return nothing(sc.Qualifications(o.ctx, o.lead.Lead.ID, store.Page{}))
	},
	"TransfersOfLead": func(sc store.Scoped, o owned) (any, bool) {
		return nothing(sc.TransfersOfLead(o.ctx, o.lead.Lead.ID))
	},
	"ChainHealth": func(sc store.Scoped, o owned) (any, bool) {
		h, err := sc.ChainHealth(o.ctx, time.Time{})
		return []any{h, err}, err == nil && h.Answered+h.Minutes+h.Failovers+h.Unknown == 0 && h.CostUSD.IsZero()
	},
	"Report": func(sc store.Scoped, o owned) (any, bool) {
		r, err := sc.Report(o.ctx, store.Since(time.Now(), 30))
		return []any{r, err}, err == nil && len(r.Uses)+len(r.Speeds)+len(r.Cache) == 0 && r.Outcomes.Leads+r.Health.Minutes == 0
	},
	"Uses": func(sc store.Scoped, o owned) (any, bool) {
		return nothing(sc.Uses(o.ctx, store.Since(time.Now(), 30)))
	},
	"JobsAhead": func(sc store.Scoped, o owned) (any, bool) {
		return nothing(sc.JobsAhead(o.ctx, time.Time{}, time.Now().AddDate(1, 0, 0)))
	},
	"CostsOfKey": func(sc store.Scoped, o owned) (any, bool) {
		return nothing(sc.CostsOfKey(o.ctx, growth.Budget{Key: o.key.ID}, time.Time{}))
	},
	"Alerts": func(sc store.Scoped, o owned) (any, bool) { return nothing(sc.Alerts(o.ctx, "", store.Page{})) },
	"Troubles": func(sc store.Scoped, o owned) (any, bool) {
		tr, err := sc.Troubles(o.ctx, time.Now().AddDate(1, 0, 0))
		return []any{tr, err}, err == nil && tr.Unknown == 0 && tr.Unsettled == 0 && len(tr.Accounts)+len(tr.Breakers) == 0
	},
	"SetAlerts": func(sc store.Scoped, o owned) (any, bool) {
		_, err := sc.SetAlerts(o.ctx, nil, time.Now().AddDate(1, 0, 0))
		return err, err == nil
	},
	"CostOfJobs": func(sc store.Scoped, o owned) (any, bool) {
		m, err := sc.CostOfJobs(o.ctx, []growth.JobID{o.job})
		return []any{m, err}, err == nil && m[o.job].USD.IsZero()
	},
	"Days": func(sc store.Scoped, o owned) (any, bool) {
		days, err := sc.Days(o.ctx, time.Now())
		return []any{days, err}, err == nil && len(days) == 1 && days[0].Calls == 0 && days[0].Hits == 0
	},
	"Workspace": func(sc store.Scoped, o owned) (any, bool) {
		w, err := sc.Workspace(o.ctx)
		return []any{w, err}, err == nil && w.ID != o.ws.ID
	},
	"CallbackSecret": func(sc store.Scoped, o owned) (any, bool) {
		own, err := o.sc.CallbackSecret(o.ctx)
		other, err2 := sc.CallbackSecret(o.ctx)
		return []any{err, err2}, err == nil && err2 == nil && len(other) == 32 && string(own) != string(other)
	},
	"Schedule": func(sc store.Scoped, o owned) (any, bool) {
		_, err := sc.Schedule(o.ctx, o.schedule)
		return absent(err)
	},
	"Schedules": func(sc store.Scoped, o owned) (any, bool) {
		return nothing(sc.Schedules(o.ctx, "weekly", store.Page{}))
	},
	"Ticks": func(sc store.Scoped, o owned) (any, bool) { return nothing(sc.Ticks(o.ctx, o.schedule, 10)) },
	"TicksOf": func(sc store.Scoped, o owned) (any, bool) {
		return nothing(sc.TicksOf(o.ctx, []growth.ScheduleID{o.schedule}, 10))
	},
	"DeleteSchedule": func(sc store.Scoped, o owned) (any, bool) { return absent(sc.DeleteSchedule(o.ctx, o.schedule)) },
	"UpdateSchedule": func(sc store.Scoped, o owned) (any, bool) {
		_, err := sc.UpdateSchedule(o.ctx, o.schedule, func(s *growth.Schedule) error { s.Name = "mine"; return nil })
		return absent(err)
	},
	"RunSchedule": func(sc store.Scoped, o owned) (any, bool) {
		_, err := sc.RunSchedule(o.ctx, o.schedule, "them", "", func(growth.Schedule) error { return nil })
		return absent(err)
	},
	"CreateSchedule": func(sc store.Scoped, o owned) (any, bool) {
		s, err := sc.CreateSchedule(o.ctx, newSchedule(func(s *growth.Schedule) { s.Name = "weekly" }))
		return err, err == nil && s.ID != o.schedule
	},
	"PostTime": func(sc store.Scoped, o owned) (any, bool) {
		_, found, err := sc.PostTime(o.ctx, o.planned)
		return nothing(found, err)
	},
	"PostingPlan": func(sc store.Scoped, o owned) (any, bool) {
		p, err := sc.PostingPlan(o.ctx, o.account.ID)
		return nothing(p.Slots, err)
	},
	"Calendar": func(sc store.Scoped, o owned) (any, bool) {
		return nothing(sc.Calendar(o.ctx, time.Now().AddDate(-1, 0, 0), time.Now().AddDate(2, 0, 0), ""))
	},
	"DueJobs": func(sc store.Scoped, o owned) (any, bool) {
		return nothing(sc.DueJobs(o.ctx, time.Now().AddDate(-1, 0, 0), time.Now().AddDate(2, 0, 0)))
	},
	"UnitCosts":        func(sc store.Scoped, o owned) (any, bool) { return nothing(sc.UnitCosts(o.ctx, time.Time{})) },
	"EnabledSchedules": func(sc store.Scoped, o owned) (any, bool) { return nothing(sc.EnabledSchedules(o.ctx)) },
	"MovedPosts": func(sc store.Scoped, o owned) (any, bool) {
		return nothing(sc.MovedPosts(o.ctx, time.Now().AddDate(-1, 0, 0), time.Now().AddDate(2, 0, 0)))
	},
	"SetPostingPlan": func(sc store.Scoped, o owned) (any, bool) {
		p := growth.DefaultPlan(o.account.ID)
		p.Zone = "Europe/Paris"
		return absent(sc.SetPostingPlan(o.ctx, p))
	},
	"MovePost": func(sc store.Scoped, o owned) (any, bool) {
		_, err := sc.MovePost(o.ctx, o.planned, store.PostWish{Time: somewhen(o.account.ID)})
		return absent(err)
	},
	"MissPost": func(sc store.Scoped, o owned) (any, bool) {
		_, err := sc.MissPost(o.ctx, o.planned, 0, o.account.ID, func(growth.PostingPlan, time.Time) (growth.PostTime, bool, error) {
			return somewhen(o.account.ID), true, nil
		}, func(growth.PostTime) store.NewEvent { return store.NewEvent{Type: "x", Data: []byte("{}")} })
		return err, true
	},
	"JudgePost": func(sc store.Scoped, o owned) (any, bool) {
		err := sc.JudgePost(o.ctx, o.planned, 0, o.account.ID, growth.PostHeld)
		return err, err != nil
	},
	"ReleaseLate": func(sc store.Scoped, o owned) (any, bool) {
		wait, err := sc.ReleaseLate(o.ctx, o.planned, o.account.ID, 1)
		return err, err == nil && wait == 0
	},
	"Reclock": func(sc store.Scoped, o owned) (any, bool) {
		t := somewhen(o.account.ID)
		t.JobID = o.planned
		err := sc.Reclock(o.ctx, t)
		return err, err == nil
	},
	// What writes: it may do its own thing, and must leave the other workspace's rows as they are (checked for all).
	"SetSettings": func(sc store.Scoped, o owned) (any, bool) {
		err := sc.SetSettings(o.ctx, growth.WorkspaceSettings{ICP: "mine"})
		return err, err == nil
	},
	"DisconnectAccount": func(sc store.Scoped, o owned) (any, bool) { return sc.DisconnectAccount(o.ctx, o.account.ID), true },
	"EnsureCampaign": func(sc store.Scoped, o owned) (any, bool) {
		c, err := sc.EnsureCampaign(o.ctx, o.campaign.Name)
		return err, err == nil && c.ID != o.campaign.ID
	},
	"PutAccount": func(sc store.Scoped, o owned) (any, bool) {
		a, err := sc.PutAccount(o.ctx, o.account, func(growth.AccountID) (string, error) { return "t", nil })
		return err, err == nil && a.ID != o.account.ID
	},
	"PutLeads": func(sc store.Scoped, o owned) (any, bool) {
		l, err := sc.PutLeads(o.ctx, []store.LeadPut{named("Chez A", "a.ca")}, always, keepOld)
		return err, err == nil && l[0].Lead.ID != o.lead.Lead.ID
	},
	"CreateContent": func(sc store.Scoped, o owned) (any, bool) {
		_, _, err := sc.CreateContent(o.ctx, draft("Autre", growth.ContentDraft), "x")
		return err, err == nil
	},
	"EraseLead": func(sc store.Scoped, o owned) (any, bool) {
		_, err := sc.EraseLead(o.ctx, o.lead.Lead.ID, "them", []growth.ImportID{o.imported.ID})
		return absent(err)
	},
	"Erasure":  func(sc store.Scoped, o owned) (any, bool) { _, err := sc.Erasure(o.ctx, o.erased); return absent(err) },
	"Erasures": func(sc store.Scoped, o owned) (any, bool) { return nothing(sc.Erasures(o.ctx, store.Page{})) },
	"CacheForgotLead": func(sc store.Scoped, o owned) (any, bool) {
		_, err := sc.CacheForgotLead(o.ctx, o.erased)
		return absent(err)
	},
	"ChangeLead": func(sc store.Scoped, o owned) (any, bool) {
		_, err := sc.ChangeLead(o.ctx, o.lead.Lead.ID, func(l growth.Lead) (growth.Lead, []store.LeadKey, error) { return l, nil, nil })
		return absent(err)
	},
	"KeysOfLead": func(sc store.Scoped, o owned) (any, bool) { return nothing(sc.KeysOfLead(o.ctx, o.lead.Lead.ID)) },
	"AddImport": func(sc store.Scoped, o owned) (any, bool) {
		i, err := sc.AddImport(o.ctx, store.Import{FileName: "theirs.csv"}, strings.NewReader(someFile))
		return err, err == nil && i.ID != o.imported.ID
	},
	"DropImport": func(sc store.Scoped, o owned) (any, bool) { return nil, sc.DropImport(o.ctx, o.imported.ID) == nil },
	"AdoptFile": func(sc store.Scoped, o owned) (any, bool) {
		_, err := sc.AdoptFile(o.ctx, o.imported.ID, o.imported.ID)
		return absent(err)
	},
	"Import": func(sc store.Scoped, o owned) (any, bool) {
		_, err := sc.Import(o.ctx, o.imported.ID)
		return absent(err)
	},
	"EarlierImport": func(sc store.Scoped, o owned) (any, bool) {
		i, found, err := sc.EarlierImport(o.ctx, store.Import{ID: growth.ImportID(growth.NewID()), FileHash: o.imported.FileHash})
		return []any{i, err}, err == nil && (!found || i.FileName == "theirs.csv")
	},
	"FinishedImport": func(sc store.Scoped, o owned) (any, bool) {
		i, found, err := sc.FinishedImport(o.ctx, store.Import{ID: growth.ImportID(growth.NewID()), FileHash: o.imported.FileHash})
		return []any{i, found, err}, err == nil && !found
	},
	"Imports": func(sc store.Scoped, o owned) (any, bool) {
		is, err := sc.Imports(o.ctx, store.Page{})
		return []any{is, err}, err == nil && !slices.ContainsFunc(is, func(i store.Import) bool { return i.ID == o.imported.ID })
	},
	"ImportsWithFile": func(sc store.Scoped, o owned) (any, bool) {
		is, err := sc.ImportsWithFile(o.ctx)
		return []any{is, err}, err == nil && !slices.ContainsFunc(is, func(i store.Import) bool { return i.ID == o.imported.ID })
	},
	"LookAgain": func(sc store.Scoped, o owned) (any, bool) {
		_, err := sc.LookAgain(o.ctx, o.imported)
		return absent(err)
	},
	"BeginImport": func(sc store.Scoped, o owned) (any, bool) {
		_, err := sc.BeginImport(o.ctx, o.imported.ID, "")
		return absent(err)
	},
	"FinishImport": func(sc store.Scoped, o owned) (any, bool) {
		_, err := sc.FinishImport(o.ctx, o.imported.ID)
		return absent(err)
	},
	"BeginUndo": func(sc store.Scoped, o owned) (any, bool) {
		_, err := sc.BeginUndo(o.ctx, o.imported.ID)
		return absent(err)
	},
	"ImportFile": func(sc store.Scoped, o owned) (any, bool) {
		_, err := sc.ImportFile(o.ctx, o.imported.ID)
		return absent(err)
	},
	"ImportLeads": func(sc store.Scoped, o owned) (any, bool) {
		_, err := sc.ImportLeads(o.ctx, o.imported.ID, []store.LeadPut{named("Chez A", "a.ca")}, always, keepOld)
		return absent(err)
	},
	"AdvanceImport": func(sc store.Scoped, o owned) (any, bool) {
		return absent(sc.AdvanceImport(o.ctx, o.imported.ID, store.ImportStep{To: 1}))
	},
	"UndoLeads": func(sc store.Scoped, o owned) (any, bool) {
		undone, err := sc.UndoLeads(o.ctx, o.imported.ID, 10, func(growth.Lead) []store.LeadKey { return nil })
		return nothing(append(undone.Erased, undone.Restored...), err)
	},
	"KeptLeads": func(sc store.Scoped, o owned) (any, bool) { return nothing(sc.KeptLeads(o.ctx, o.imported.ID)) },
	"As": func(sc store.Scoped, o owned) (any, bool) {
		return absent(second(sc.As("them").Lead(o.ctx, o.lead.Lead.ID)))
	},
	"MergedInto": func(sc store.Scoped, o owned) (any, bool) { return nothing(sc.MergedInto(o.ctx, o.merged)) },
	"MergedFrom": func(sc store.Scoped, o owned) (any, bool) { return nothing(sc.MergedFrom(o.ctx, o.lead.Lead.ID)) },
	"MergeLeads": func(sc store.Scoped, o owned) (any, bool) {
		return absent(second(sc.MergeLeads(o.ctx, store.Merge{From: o.lead.Lead.ID, Into: o.merged}, fill, noKeys)))
	},
	"LeadHistory": func(sc store.Scoped, o owned) (any, bool) {
		return nothing(sc.LeadHistory(o.ctx, o.lead.Lead.ID, "", 10))
	},
	"Buried": func(sc store.Scoped, o owned) (any, bool) {
		hits, err := sc.Buried(o.ctx, []store.LeadPut{named("Chez Z", "z.ca")})
		return []any{hits, err}, err == nil && len(hits) == 0
	},
	"LiftTombstones": func(sc store.Scoped, o owned) (any, bool) {
		return absent(second(sc.LiftTombstones(o.ctx, o.erased, named("Chez Z", "z.ca").Keys, store.Lift{Reason: "theirs"})))
	},
	"ScoredByRules": func(sc store.Scoped, o owned) (any, bool) {
		return nothing(sc.ScoredByRules(o.ctx, []growth.LeadID{o.lead.Lead.ID}, 3))
	},
	"ScoredWith": func(sc store.Scoped, o owned) (any, bool) {
		return nothing(sc.ScoredWith(o.ctx, []growth.LeadID{o.lead.Lead.ID}))
	},
	"ScoredBySimulator": func(sc store.Scoped, o owned) (any, bool) {
		return nothing(sc.ScoredBySimulator(o.ctx, []growth.LeadID{o.lead.Lead.ID}))
	},
	"Campaign": func(sc store.Scoped, o owned) (any, bool) { return absent(second(sc.Campaign(o.ctx, o.campaign.ID))) },
	"CountCampaign": func(sc store.Scoped, o owned) (any, bool) {
		return absent(second(sc.CountCampaign(o.ctx, o.campaign.ID)))
	},
	"ChangeCampaign": func(sc store.Scoped, o owned) (any, bool) {
		closed := store.CampaignClosed
		return absent(second(sc.ChangeCampaign(o.ctx, o.campaign.ID, store.CampaignChange{Status: &closed, Budget: &o.budget.ID})))
	},
	"ClosedCampaigns": func(sc store.Scoped, o owned) (any, bool) {
		return nothing(sc.ClosedCampaigns(o.ctx, []growth.CampaignID{o.campaign.ID}))
	},
	"Rubric":  func(sc store.Scoped, o owned) (any, bool) { return absent(second(sc.Rubric(o.ctx, "ours@1"))) },
	"Rubrics": func(sc store.Scoped, o owned) (any, bool) { return nothing(sc.Rubrics(o.ctx, store.Page{})) },
	"AddRubric": func(sc store.Scoped, o owned) (any, bool) {
		_, err := sc.AddRubric(o.ctx, store.Rubric{Name: "ours", Version: "1", Source: "another text"}) // it is free here
		return err, err == nil
	},
	"UseRubric": func(sc store.Scoped, o owned) (any, bool) { err := sc.UseRubric(o.ctx, "b2b"); return err, err == nil },
	"GoldenSet": func(sc store.Scoped, o owned) (any, bool) {
		_, _, err := sc.GoldenSet(o.ctx, o.golden.ID)
		return absent(err)
	},
	"GoldenSets":      func(sc store.Scoped, o owned) (any, bool) { return nothing(sc.GoldenSets(o.ctx, store.Page{})) },
	"DeleteGoldenSet": func(sc store.Scoped, o owned) (any, bool) { return absent(sc.DeleteGoldenSet(o.ctx, o.golden.ID)) },
	"AddGoldenSet": func(sc store.Scoped, o owned) (any, bool) {
		set, err := sc.AddGoldenSet(o.ctx, store.GoldenSet{Name: "ours", Rubric: "b2b@1"}, nil)
		return err, err == nil && set.ID != o.golden.ID
	},
	"StaleLeads": func(sc store.Scoped, o owned) (any, bool) {
		return nothing(sc.StaleLeads(o.ctx, growth.LeadRetention{IdleDays: 1, AfterConsentDays: 1}, time.Now().Add(1000*time.Hour), 10))
	},
	"DropLead": func(sc store.Scoped, o owned) (any, bool) {
		return absent(second(sc.DropLead(o.ctx, o.lead.Lead.ID, "them", nil)))
	},
	"PutMedia": func(sc store.Scoped, o owned) (any, bool) {
		m, err := sc.PutMedia(o.ctx, o.media, []byte("ours"))
		return err, err == nil && m.ID != o.media.ID
	},
	"Media": func(sc store.Scoped, o owned) (any, bool) {
		_, err := sc.Media(o.ctx, o.media.ID)
		return absent(err)
	},
	"MediaData": func(sc store.Scoped, o owned) (any, bool) {
		_, _, err := sc.MediaData(o.ctx, o.media.ID)
		return absent(err)
	},
	"MediaList": func(sc store.Scoped, o owned) (any, bool) {
		ms, err := sc.MediaList(o.ctx, store.Page{})
		return []any{ms, err}, err == nil && !slices.ContainsFunc(ms, func(m growth.Media) bool { return m.ID == o.media.ID })
	},
	"DeleteMedia": func(sc store.Scoped, o owned) (any, bool) { return absent(sc.DeleteMedia(o.ctx, o.media.ID)) },
	"EndReads":    func(sc store.Scoped, o owned) (any, bool) { return nil, sc.EndReads(o.ctx, o.pub.ID, true) == nil },
	"FoundOnLinkedIn": func(sc store.Scoped, o owned) (any, bool) {
		found, err := sc.FoundOnLinkedIn(o.ctx, o.pub.ID, "urn:li:share:9", "")
		return err, err == nil && !found
	},
	"MarkDeleted": func(sc store.Scoped, o owned) (any, bool) {
		_, err := sc.MarkDeleted(o.ctx, o.pub.ID)
		return absent(err)
	},
	"AddSource": func(sc store.Scoped, o owned) (any, bool) {
		s, err := sc.AddSource(o.ctx, growth.WebhookSource{Name: o.source.Name, Kind: "token"}, func(growth.SourceID) string { return "x" })
		return err, err == nil && s.ID != o.source.ID
	},
	"Source": func(sc store.Scoped, o owned) (any, bool) {
		_, err := sc.Source(o.ctx, o.source.ID)
		return absent(err)
	},
	"Sources": func(sc store.Scoped, o owned) (any, bool) { return nothing(sc.Sources(o.ctx, store.Page{})) },
	"ChangeSource": func(sc store.Scoped, o owned) (any, bool) {
		_, err := sc.ChangeSource(o.ctx, o.source.ID, func(*growth.WebhookSource) error { return nil })
		return absent(err)
	},
	"RotateSource": func(sc store.Scoped, o owned) (any, bool) {
		_, err := sc.RotateSource(o.ctx, o.source.ID, "theirs", time.Now())
		return absent(err)
	},
	"DeleteSource": func(sc store.Scoped, o owned) (any, bool) { return absent(sc.DeleteSource(o.ctx, o.source.ID)) },
	"Delivery": func(sc store.Scoped, o owned) (any, bool) {
		_, err := sc.Delivery(o.ctx, o.arrived)
		return absent(err)
	},
	"Deliveries": func(sc store.Scoped, o owned) (any, bool) {
		return nothing(sc.Deliveries(o.ctx, store.DeliveryFilter{Source: o.source.ID}, store.Page{}))
	},
	"ReplayDelivery": func(sc store.Scoped, o owned) (any, bool) {
		_, err := sc.ReplayDelivery(o.ctx, o.arrived)
		return absent(err)
	},
	"AddSubscription": func(sc store.Scoped, o owned) (any, bool) {
		s, err := sc.AddSubscription(o.ctx, growth.Subscription{URL: "https://x.example/", Form: growth.FormSlack}, func(growth.SubscriptionID) string { return "x" })
		return err, err == nil && s.ID != o.listener.ID
	},
	"Subscription": func(sc store.Scoped, o owned) (any, bool) {
		_, err := sc.Subscription(o.ctx, o.listener.ID)
		return absent(err)
	},
	"Subscriptions": func(sc store.Scoped, o owned) (any, bool) { return nothing(sc.Subscriptions(o.ctx, store.Page{})) },
	"ChangeSubscription": func(sc store.Scoped, o owned) (any, bool) {
		_, err := sc.ChangeSubscription(o.ctx, o.listener.ID, func(*growth.Subscription) error { return nil })
		return absent(err)
	},
	"RotateSubscription": func(sc store.Scoped, o owned) (any, bool) {
		_, err := sc.RotateSubscription(o.ctx, o.listener.ID, "theirs", time.Now())
		return absent(err)
	},
	"DeleteSubscription": func(sc store.Scoped, o owned) (any, bool) { return absent(sc.DeleteSubscription(o.ctx, o.listener.ID)) },
	"SubscriptionDeliveries": func(sc store.Scoped, o owned) (any, bool) {
		return nothing(sc.SubscriptionDeliveries(o.ctx, o.listener.ID, "", store.Page{}))
	},
	"Outgoing":  func(sc store.Scoped, o owned) (any, bool) { _, err := sc.Outgoing(o.ctx, o.told); return absent(err) },
	"Redeliver": func(sc store.Scoped, o owned) (any, bool) { _, err := sc.Redeliver(o.ctx, o.told); return absent(err) },
	"CallbackSecrets": func(sc store.Scoped, o owned) (any, bool) {
		own, err := o.sc.CallbackSecrets(o.ctx)
		other, err2 := sc.CallbackSecrets(o.ctx)
		return []any{err, err2}, err == nil && err2 == nil && len(other) == 1 && string(own[0]) != string(other[0])
	},
	"RotateCallbackSecret": func(sc store.Scoped, o owned) (any, bool) {
		err := sc.RotateCallbackSecret(o.ctx, []byte("theirs"), time.Now())
		own, err2 := o.sc.CallbackSecrets(o.ctx)
		return []any{err, err2}, err == nil && err2 == nil && string(own[0]) != "theirs"
	},
	"Accept": func(sc store.Scoped, o owned) (any, bool) {
		out, err := sc.Accept(o.ctx, []store.NewJob{newJob()})
		return err, err == nil && out[0].ID != o.job
	},
}

// Every method of Scoped is bound to its workspace; a new one without an entry above fails here.
func TestScopedSeesItsWorkspaceAlone(t *testing.T) {
	t.Parallel()
	o := furnished(t)
	before := o.snapshot()
	for m := range reflect.TypeFor[store.Scoped]().Methods() {
		try, known := theirs[m.Name]
		if !known {
			t.Errorf("Scoped.%s has no entry in the table of isolation", m.Name)
			continue
		}
		if v, ok := try(o.neighbour().sc, o); !ok {
			t.Errorf("Scoped.%s with another workspace's ids: %v", m.Name, v)
		}
		if diff := cmp.Diff(before, o.snapshot()); diff != "" {
			t.Fatalf("Scoped.%s changed another workspace (-before +after):\n%s", m.Name, diff)
		}
	}
}

// snapshot is everything that the workspace has, as text.
func (o owned) snapshot() map[string]string {
	o.tb.Helper()
	out := map[string]string{}
	for _, table := range []string{
		"jobs", "leads", "campaigns", "contents", "linkedin_accounts", "linkedin_connects", "publications", "api_keys", "calls", "events", "cache_days", "transfers", "qualifications",
		"schedules", "schedule_ticks", "budgets", "lead_reviews", "imports", "erasures", "tombstones",
		"rubrics", "golden_sets", "lead_merges", "lead_changes", "lead_keys", "brands", "content_decisions", "content_batches", "alert_states", "media",
		"webhook_sources", "webhook_deliveries", "subscriptions", "subscription_deliveries", "audit_log",
	} {
		var b []byte
		err := o.db.QueryRowContext(o.ctx, `SELECT coalesce(jsonb_agg(to_jsonb(x) ORDER BY to_jsonb(x)::text), '[]') FROM `+table+` x WHERE workspace_id = $1`, o.ws.ID).Scan(&b)
		o.must(err)
		out[table] = string(b)
	}
	w, err := o.sc.Workspace(o.ctx)
	o.must(err)
	settings, err := json.Marshal(w.Settings)
	o.must(err)
	out["settings"] = string(settings)
	return out
}

func TestKeysLiveUntilTheyExpireOrAreRevoked(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	add := func(name string, expires *time.Time) store.Key {
		k, err := b.s.AddKey(b.ctx, store.Key{Workspace: b.ws.ID, Name: name, Scopes: []string{"read", "approve"}, ExpiresAt: expires}, []byte(name))
		b.must(err)
		return k
	}
	past := time.Now().Add(-time.Second)
	add("expired", &past)
	revoked, live := add("revoked", nil), add("live", nil)
	b.must(b.sc.RevokeKey(b.ctx, store.ReachWorkspace, revoked.ID))
	for _, name := range []string{"expired", "revoked", "never"} {
		_, err := b.s.KeyByHash(b.ctx, []byte(name))
		wantCode(t, err, growth.Unauthorized)
	}
	got, err := b.s.KeyByHash(b.ctx, []byte("live"))
	b.must(err)
	if got.ID != live.ID || got.Workspace != b.ws.ID || len(got.Scopes) != 2 {
		t.Errorf("key = %+v", got)
	}
	if got, err = b.s.KeyByHash(b.ctx, []byte("live")); err != nil || got.LastUsed == nil {
		t.Errorf("last use of the key = %v, %v", got.LastUsed, err)
	}
}
