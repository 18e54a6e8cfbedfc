package tasks_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/testenv"
	"github.com/zakibelm/astrogrowth/internal/webhook"
	"github.com/zakibelm/astrogrowth/router"
	"github.com/zakibelm/astrogrowth/router/cache"
	"github.com/zakibelm/astrogrowth/store"
	"github.com/zakibelm/astrogrowth/tasks"
)

// The marks by which the lead is looked for. The second is no identity: it goes to the models and comes back in quotes.
const (
	canaryMail = "zorglub.canari@oiseau.example"
	canaryWord = "Zinzolinade"
	canaryFile = "business_name,business_type,email,phone,address,city,notes,google_rating\n" +
		"Volière " + canaryWord + ",Restaurant," + canaryMail + ",514-555-0199,77 rue du Perchoir,Montréal,Veut plus d'avis pour " + canaryWord + ",4.5\n" +
		"Autre Table,Restaurant,autre@table.example,,5 rue A,Laval,,4.0\n" +
		"Trop court," + canaryMail + "\n"
)

// tripping fails the first attempt of each job after its work is done: what it has written is there twice then.
type tripping struct {
	tasks.QualifyWorker
	fell *atomic.Int32
}

func (s tripping) Work(ctx context.Context, job *tasks.Job[tasks.QualifyArgs]) error {
	if s.fell.Add(1) <= 2 {
		return &growth.Error{Code: growth.Unavailable, Op: "test", Message: "the first attempt fails", RetryAfter: time.Millisecond}
	}
	return s.QualifyWorker.Work(ctx, job)
}

// aviary is a plant that imports, scores, caches and erases.
type aviary struct {
	*plant
	kept *cache.Cache
	im   tasks.Importer
}

func newAviary(t *testing.T) aviary {
	t.Helper()
	w, p := newWorld(t), newPlant(t)
	kept, err := cache.New(p.rdb, cache.Settings{Patience: 10 * time.Second})
	p.must(err)
	t.Cleanup(kept.Close)
	chain := w.chain(func(c *router.Config) { c.Cache = kept })
	tasks.AddWorker(p.runner, tripping{tasks.QualifyWorker{Store: p.s, Chain: chain}, &atomic.Int32{}})
	p.relays().serves(growth.JobLeadQualification)
	return aviary{p, kept, tasks.Importer{Store: p.s, Queue: p.queue, Cache: kept}}
}

// imported uploads a file and takes it in.
func (a aviary) imported(file string) store.Import {
	a.t.Helper()
	pre, err := a.im.Upload(a.t.Context(), a.ws.ID, "birds.csv", "", strings.NewReader(file), tasks.ImportStated{})
	a.must(err)
	i, err := a.im.Run(a.t.Context(), a.ws.ID, pre.Import.ID, tasks.ImportRun{AcceptDoubts: true})
	a.must(err)
	return i
}

func (a aviary) leadNamed(part string) growth.LeadID {
	a.t.Helper()
	leads, err := a.sc.Leads(a.t.Context(), store.LeadFilter{Query: part}, store.Page{})
	a.must(err)
	if len(leads) != 1 {
		a.t.Fatalf("%d leads with %q, want one", len(leads), part)
	}
	return leads[0].Lead.ID
}

// dump is the whole database as text, with files both as they are and in hexadecimal.
func (a aviary) dump() string {
	a.t.Helper()
	bin, err := exec.LookPath("pg_dump")
	if err != nil {
		a.t.Skip("pg_dump is not installed")
	}
	out, err := exec.CommandContext(a.t.Context(), bin, testenv.Address(a.t, a.s)).CombinedOutput()
	if err != nil {
		a.t.Fatalf("pg_dump: %v: %s", err, out)
	}
	return string(out)
}

func where(dump, mark string) []string {
	var found []string
	for line := range strings.Lines(dump) {
		low := strings.ToLower(line)
		if strings.Contains(low, strings.ToLower(mark)) || strings.Contains(low, hex.EncodeToString([]byte(mark))) {
			found = append(found, line[:min(len(line), 200)])
		}
	}
	return found
}

// redisText is every key and every value of the Redis.
func (a aviary) redisText() string {
	a.t.Helper()
	var b strings.Builder
	ctx := a.t.Context()
	keys := a.rdb.Scan(ctx, 0, "*", 1000).Iterator()
	for keys.Next(ctx) {
		key := keys.Val()
		kind, err := a.rdb.Type(ctx, key).Result()
		a.must(err)
		fmt.Fprintln(&b, key, value(ctx, a.rdb, kind, key))
	}
	a.must(keys.Err())
	return b.String()
}

func value(ctx context.Context, rdb redis.UniversalClient, kind, key string) any {
	switch kind {
	case "string":
		return rdb.Get(ctx, key).Val()
	case "hash":
		return rdb.HGetAll(ctx, key).Val()
	case "set":
		return rdb.SMembers(ctx, key).Val()
	case "list":
		return rdb.LRange(ctx, key, 0, -1).Val()
	case "zset":
		return rdb.ZRangeWithScores(ctx, key, 0, -1).Val()
	case "stream":
		return rdb.XRange(ctx, key, "-", "+").Val()
	}
	return kind
}

// A lead that was imported, scored, cached, failed once and delivered again is found nowhere after it was erased, and
// does not come back.
func TestErasedLeadIsNowhere(t *testing.T) {
	t.Parallel()
	a := newAviary(t)
	_, err := a.sc.AddSubscription(t.Context(), growth.Subscription{URL: "https://x.example/", Form: growth.FormStandard, Active: true}, func(growth.SubscriptionID) string { return "sealed" })
	a.must(err)
	i := a.imported(canaryFile)
	id := a.leadNamed(canaryMail)
	eventually(t, "both leads are scored", func() bool { return a.count(`SELECT count(*) FROM qualifications`) == 2 })
	eventually(t, "both jobs are done", func() bool {
		return a.count(`SELECT count(*) FROM jobs WHERE state = 'succeeded' AND attempts > 1`) == 2
	})
	a.tells(id)
	_, err = a.sc.AddFeedback(t.Context(), store.Feedback{Job: growth.JobID(a.text(`SELECT id FROM jobs WHERE lead_id = $1`, id)), Message: canaryWord + " complained"})
	a.must(err)
	drafted, _, err := a.sc.CreateContent(t.Context(), growth.Content{ID: growth.ContentID(growth.NewID()), Body: "Écrivez à " + canaryMail, Hash: "h", Status: growth.ContentDraft, Variant: 1, Version: 1, Hashtags: []string{}, Checks: []growth.Check{}}, "test")
	a.must(err)
	a.exec(`UPDATE contents SET lead_id = $1 WHERE id = $2`, id, drafted.ID)
	before := a.dump()
	if len(where(before, canaryMail)) < 5 || len(where(before, canaryWord)) < 3 {
		t.Fatalf("the marks are hardly there before: %q %q", where(before, canaryMail), where(before, canaryWord))
	}
	if size, err := a.kept.Size(t.Context(), a.ws.ID); err != nil || size.Entries == 0 {
		t.Fatalf("nothing is cached before: %+v, %v", size, err)
	}
	full, err := a.kept.Size(t.Context(), a.ws.ID)
	a.must(err)

	e, err := a.im.Erase(t.Context(), a.ws.ID, id, "somebody")
	a.must(err)
	want := store.ErasedCounts{Jobs: 1, Qualifications: 1, Transfers: e.Counts.Transfers, Events: e.Counts.Events, Feedback: 1, Contents: 1, Files: 1, Deliveries: 2, Told: e.Counts.Told}
	if e.Counts.Told == 0 || e.Counts != want || e.CacheAt == nil || e.Counts.Transfers == 0 || e.Counts.Events == 0 {
		t.Errorf("receipt = %+v", e)
	}
	after, inRedis := a.dump(), a.redisText()
	for _, mark := range []string{canaryMail, canaryWord, "du Perchoir", "555-0199"} {
		if found := where(after, mark); len(found) > 0 {
			t.Errorf("%q stands in the database: %q", mark, found)
		}
		if found := where(inRedis, mark); len(found) > 0 {
			t.Errorf("%q stands in Redis: %q", mark, found)
		}
	}
	if size, err := a.kept.Size(t.Context(), a.ws.ID); err != nil || size.Entries >= full.Entries {
		t.Errorf("the cache holds %d answers, had %d: %v", size.Entries, full.Entries, err)
	}
	a.leadNamed("autre@table.example") // the neighbour in the file is still there

	a.staysAway(i, e)
}

// tells brings the lead in by webhook too, once well and once in a form that nothing can be made of, and tells
// subscriptions and the job's owner of it.
func (a aviary) tells(id growth.LeadID) {
	a.t.Helper()
	d := door{plant: a.plant, intake: tasks.NewIntake(a.s, nil, zerolog.Nop())}
	d.source = a.source(webhook.KindToken, func(s *growth.WebhookSource) { s.Qualify = false })
	if got := d.takes(`{"email":"Zorglub.Canari@oiseau.example","notes":"` + canaryWord + `"}`); got.LeadID == nil || *got.LeadID != id {
		a.t.Fatalf("the message is another lead's: %+v", got)
	}
	if got := d.takes(`{"who":"zorglub.canari\u0040oiseau.example","says":"` + canaryWord + `"}`); got.State != growth.DeliveryFailed {
		a.t.Fatalf("delivery = %+v", got)
	}
	dispatcher := tasks.Dispatcher{Store: a.s, Log: zerolog.Nop()}
	eventually(a.t, "the subscription is told", func() bool {
		a.must(dispatcher.Pass(a.t.Context()))
		return a.count(`SELECT count(*) FROM subscription_deliveries WHERE event_lead_id = $1 OR event_job_id IN (SELECT id FROM jobs WHERE lead_id = $2)`, string(id), id) > 0
	})
}

// staysAway tries every way by which the lead could come back.
func (a aviary) staysAway(i store.Import, e store.Erasure) {
	a.t.Helper()
	if _, err := a.im.Look(a.t.Context(), a.ws.ID, i.ID, tasks.ImportStated{}); growth.CodeOf(err) != growth.Conflict {
		a.t.Errorf("the file is still held: %v", err)
	}
	again := a.imported(canaryFile)
	if again.Refused != 1 || again.Created != 0 || again.Updated != 1 || again.Unchanged != 1 {
		a.t.Errorf("import of the same file: %d refused, %d created, %d updated, %d unchanged; want 1, 0, 1, 1", again.Refused, again.Created, again.Updated, again.Unchanged)
	}
	elsewhere := growth.Lead{BusinessName: "Something Else", Email: "ZORGLUB.canari@oiseau.example"}
	_, err := a.sc.PutLeads(a.t.Context(), []store.LeadPut{{Lead: elsewhere, Keys: tasks.LeadKeys(elsewhere)}}, never, replaced)
	if growth.CodeOf(err) != growth.Conflict {
		a.t.Errorf("the address in other letters: %v", err)
	}
	same, err := a.im.Erase(a.t.Context(), a.ws.ID, e.LeadID, "somebody else")
	if err != nil || same.ID != e.ID || same.AskedBy != "somebody" {
		a.t.Errorf("asked again: %+v, %v", same, err)
	}
}

func never(_, _ growth.Lead) bool { return false }

func replaced(_, update growth.Lead) growth.Lead { return update }

// Erasing one employee does not shut out the others of the company, but shuts out who has no name of its own.
func TestErasedLeadDoesNotShutOutItsNeighbours(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	im := tasks.Importer{Store: p.s, Queue: p.queue, Cache: forgetful{}}
	at := growth.Lead{BusinessName: "Atelier Nord", Address: "9 rue Longue", City: "Laval"}
	put := func(change func(*growth.Lead)) (growth.LeadID, error) {
		l := at
		change(&l)
		out, err := p.sc.PutLeads(t.Context(), []store.LeadPut{{Lead: l, Keys: tasks.LeadKeys(l)}}, never, replaced)
		if err != nil {
			return "", err
		}
		return out[0].Lead.ID, nil
	}
	ann, err := put(func(l *growth.Lead) { l.Email = "ann@nord.example" })
	p.must(err)
	_, err = im.Erase(t.Context(), p.ws.ID, ann, "")
	p.must(err)
	if _, err := put(func(l *growth.Lead) { l.Email = "bob@nord.example" }); err != nil {
		t.Errorf("a colleague is shut out: %v", err)
	}
	if _, err := put(func(*growth.Lead) {}); growth.CodeOf(err) != growth.Conflict {
		t.Errorf("the same business without an address of its own came back: %v", err)
	}
	if _, err := put(func(l *growth.Lead) { l.BusinessName, l.Email = "Ailleurs", "Ann@Nord.example" }); growth.CodeOf(err) != growth.Conflict {
		t.Errorf("the same person elsewhere came back: %v", err)
	}
	bed := growth.Lead{BusinessName: "Voisin", Email: "v@x.example"}
	id := p.lead(bed)
	if _, err := p.sc.ChangeLead(t.Context(), id, func(l growth.Lead) (growth.Lead, []store.LeadKey, error) {
		l.Email = "ann@nord.example"
		return l, tasks.LeadKeys(l), nil
	}); growth.CodeOf(err) != growth.Conflict {
		t.Errorf("a lead was changed into the erased one: %v", err)
	}
}

// A receipt says that the cache has not forgotten yet, and asking again completes it.
func TestErasureIsCompletedWhenTheCacheIsBack(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	id := p.lead(bistro())
	down := tasks.Importer{Store: p.s, Queue: p.queue, Cache: forgetful{growth.Errorf(growth.Unavailable, "test", "Redis is down")}}
	if _, err := down.Erase(t.Context(), p.ws.ID, id, ""); growth.CodeOf(err) != growth.Unavailable {
		t.Fatalf("error = %v, want unavailable", err)
	}
	if e, err := p.sc.Erasure(t.Context(), id); err != nil || e.CacheAt != nil {
		t.Errorf("receipt = %+v, %v", e, err)
	}
	up := tasks.Importer{Store: p.s, Queue: p.queue, Cache: forgetful{}}
	if e, err := up.Erase(t.Context(), p.ws.ID, id, ""); err != nil || e.CacheAt == nil {
		t.Errorf("asked again: %+v, %v", e, err)
	}
}

// forgetful is a cache that forgets, or cannot.
type forgetful struct{ err error }

func (f forgetful) Forget(context.Context, growth.WorkspaceID, cache.Selection) (int, error) {
	return 0, f.err
}

func (p *plant) text(query string, args ...any) string {
	p.t.Helper()
	var s string
	p.must(testenv.SQL(p.t, p.s).QueryRowContext(p.t.Context(), query, args...).Scan(&s))
	return s
}

// A worker that holds the lead while it is erased writes nothing of it afterwards.
func TestErasureWinsOverAWorkerThatIsAtIt(t *testing.T) {
	t.Parallel()
	w, p := newWorld(t), newPlant(t)
	kept, err := cache.New(p.rdb, cache.Settings{Patience: 10 * time.Second})
	p.must(err)
	t.Cleanup(kept.Close)
	busy := halfway{tasks.QualifyWorker{Store: p.s, Chain: w.chain(func(c *router.Config) { c.Cache = kept })}, make(chan string, 4), make(chan string, 4)}
	tasks.AddWorker(p.runner, busy)
	p.relays().serves(growth.JobLeadQualification)
	a := aviary{p, kept, tasks.Importer{Store: p.s, Queue: p.queue, Cache: kept}}
	l := bistro()
	l.BusinessName, l.Notes = "Volière "+canaryWord, "Veut plus d'avis pour "+canaryWord
	id := p.lead(l)
	p.asks(id)
	arrives(t, "the worker has the job", busy.has)
	_, err = a.im.Erase(t.Context(), p.ws.ID, id, "")
	p.must(err)
	busy.goOn <- ""
	queue := growth.JobLeadQualification.Queue()
	eventually(t, "no task is left", func() bool {
		active, err := p.inspect.ListActiveTasks(queue)
		return err == nil && len(active) == 0 && len(busy.goOn) == 0
	})
	dump, inRedis := a.dump(), a.redisText()
	for _, text := range []string{dump, inRedis} {
		if found := where(text, canaryWord); len(found) > 0 {
			t.Errorf("the late worker left %q", found)
		}
	}
	if n := p.count(`SELECT (SELECT count(*) FROM job_steps) + (SELECT count(*) FROM qualifications) + (SELECT count(*) FROM jobs)`); n != 0 {
		t.Errorf("%d rows are left", n)
	}
}

// halfway stands still with the job in its hands.
type halfway struct {
	tasks.QualifyWorker
	has, goOn chan string
}

func (h halfway) Work(ctx context.Context, job *tasks.Job[tasks.QualifyArgs]) error {
	h.has <- "it"
	<-h.goOn
	return h.QualifyWorker.Work(ctx, job)
}

func (p *plant) asks(id growth.LeadID) {
	p.t.Helper()
	_, err := p.queue.Enqueue(p.t.Context(), p.ws.ID, tasks.Submission{Args: tasks.QualifyArgs{LeadID: id}, LeadID: id})
	p.must(err)
}

// An undoing goes through while the cache is away, and the cache forgets when it is back, whoever asked.
func TestTheCacheForgetsWhenItIsBack(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	away := forgetful{growth.Errorf(growth.Unavailable, "test", "Redis is down")}
	im := tasks.Importer{Store: p.s, Queue: p.queue, Cache: away}
	i := p.uploads(im, &manyShops{n: 20})
	i = p.steps(im, i.ID)
	erased := p.lead(bistro())
	if _, err := im.Erase(t.Context(), p.ws.ID, erased, ""); growth.CodeOf(err) != growth.Unavailable {
		t.Errorf("error = %v, want unavailable", err)
	}
	i, err := im.Undo(t.Context(), p.ws.ID, i.ID)
	p.must(err)
	if i.State != store.ImportUndone || i.Erased != 18 || p.count(`SELECT count(*) FROM cache_dues`) != 19 {
		t.Fatalf("%s, %d erased, %d due; want undone, 18, 19", i.State, i.Erased, p.count(`SELECT count(*) FROM cache_dues`))
	}
	p.recon.Cache = away
	p.must(p.recon.ForgetDues(t.Context(), 0))
	if n := p.count(`SELECT count(*) FROM cache_dues`); n != 19 {
		t.Errorf("%d are due although the cache is away, want all 19", n)
	}
	back := &counting{}
	p.recon.Cache = back
	p.must(p.recon.ForgetDues(t.Context(), 0))
	if n := p.count(`SELECT count(*) FROM cache_dues`); n != 0 || back.n != 19 {
		t.Errorf("%d are due, %d were forgotten; want 0 and 19", n, back.n)
	}
	if e, err := p.sc.Erasure(t.Context(), erased); err != nil || e.CacheAt == nil {
		t.Errorf("receipt = %+v, %v; want it complete", e, err)
	}
}

// counting is a cache that counts what it forgets.
type counting struct{ n int }

func (c *counting) Forget(context.Context, growth.WorkspaceID, cache.Selection) (int, error) {
	c.n++
	return 0, nil
}

// A row for an erased person gives nothing to a row behind or before it that somebody else's address stands in, and the
// other one comes in.
func TestErasedLeadGivesNothingToAnotherRow(t *testing.T) {
	t.Parallel()
	const heading, theirs, other = "business_name,email,phone,website,notes\n",
		"Canari,,514-555-7777,canari.erase.example,Rappeler\n", "Canari Inc.,autre@erase.example,,https://www.canari.erase.example,Autre\n"
	for name, file := range map[string]string{"first": heading + theirs + theirs + other, "last": heading + other + theirs} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlant(t)
			a := aviary{plant: p, im: tasks.Importer{Store: p.s, Queue: p.queue, Cache: forgetful{}}}
			zoe := growth.Lead{BusinessName: "Canari inc", Email: "zoe@erase.example", Phone: "514 555 7777", Website: "canari.erase.example"}
			saved, err := p.sc.PutLeads(t.Context(), []store.LeadPut{{Lead: zoe, Keys: tasks.LeadKeys(zoe)}}, never, replaced)
			p.must(err)
			_, err = a.im.Erase(t.Context(), p.ws.ID, saved[0].Lead.ID, "")
			p.must(err)
			i := a.imported(file)
			if got := p.text(`SELECT string_agg(data - 'id' #>> '{}', '') FROM leads`); i.Created != 1 || !strings.Contains(got, "autre@") ||
				strings.Contains(got, "7777") || strings.Contains(got, "Rappeler") {
				t.Errorf("%d created: %s", i.Created, got)
			}
			if again := a.imported(heading + theirs); again.Refused != 1 || again.Created+again.Updated != 0 {
				t.Errorf("alone: %+v", again)
			}
		})
	}
}
