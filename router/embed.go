package router

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/providers"
	"github.com/zakibelm/astrogrowth/router/cache"
)

// TaskEmbedding is the task type of the ledger rows of requests for vectors. It has no route: vectors of two models
// cannot be compared, so no other candidate may answer in the place of the one that was named.
const TaskEmbedding growth.TaskType = "embedding"

const (
	embedBatch   = 96 // texts of one request to a provider
	embedTimeout = time.Minute
	embedTTL     = 30 * 24 * time.Hour // a model's vector of a text never changes
)

// Embedder is a Provider that makes vectors of texts.
type Embedder interface {
	Embed(ctx context.Context, req providers.EmbedRequest) (providers.Embeddings, error)
}

// EmbedRequest asks for the vectors of some texts.
type EmbedRequest struct {
	Workspace  growth.WorkspaceID
	Job        growth.JobID
	Step       string
	Campaign   growth.CampaignID // whose budgets it counts against, beside the workspace's and the key's
	Key        string
	Model      string // "provider/model"
	Inputs     []string
	Dimensions int // 0: as many as the model has
	Privacy    growth.PrivacyClass
	Lead       growth.LeadID // whose data the texts hold; its erasure takes the vectors out of the cache
	Cache      CachePolicy
	Ledger     Ledger // nil: the router's own
	RequestID  string
}

// Embeddings are the vectors of the inputs, in their order.
type Embeddings struct {
	Vectors   [][]float32
	Provider  string
	Model     string
	Usage     growth.Usage // of what was asked for now; texts out of the cache have used nothing
	Cost      growth.Money
	Cached    int // how many of the vectors came out of the cache
	Simulated bool
	Latency   time.Duration
	Calls     []growth.Call
}

// Embed makes vectors, with the breakers, rests, privacy class and ledger of every other call. A vector is kept for long
// and never made twice within a workspace.
func (r *Router) Embed(ctx context.Context, req EmbedRequest) (Embeddings, error) {
	began := time.Now()
	e, err := r.embedding(req)
	if err != nil {
		return Embeddings{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, embedTimeout)
	defer cancel()
	missing := e.recall(ctx)
	for batch := range slices.Chunk(missing, embedBatch) {
		if err := e.make(ctx, batch); err != nil {
			return Embeddings{}, err
		}
	}
	e.out.Latency = time.Since(began)
	return e.out, nil
}

// embedding is one Embed on its way.
type embedding struct {
	r     *Router
	req   EmbedRequest
	from  Embedder
	route Route
	slug  string
	seen  []int64 // of the look-up of each text, for the cache
	out   Embeddings
}

func (r *Router) embedding(req EmbedRequest) (*embedding, error) {
	const op = "router.Embed"
	name, slug, _ := strings.Cut(req.Model, "/")
	from, ok := r.providers[name].(Embedder)
	switch {
	case !ok || slug == "":
		return nil, &growth.Error{Code: growth.NotFound, Op: op, Field: "model", Message: "name a model as provider/model, of a provider that makes embeddings"}
	case len(req.Inputs) == 0:
		return nil, growth.InvalidField(op, "input", "give at least one text")
	case slices.ContainsFunc(req.Inputs, func(text string) bool { return strings.TrimSpace(text) == "" }):
		return nil, growth.InvalidField(op, "input", "a text is empty, and an empty text has no vector")
	}
	return &embedding{
		r: r, req: req, from: from, slug: slug, seen: make([]int64, len(req.Inputs)),
		route: Route{
			Candidates: []Candidate{{Family: "embedding", Provider: name, Slugs: []string{slug}}}, CallTimeout: embedTimeout, Timeout: embedTimeout,
		},
		out: Embeddings{
			Vectors: make([][]float32, len(req.Inputs)), Provider: name, Model: slug, Cost: growth.USD(noMoney, growth.CostReported),
		},
	}, nil
}

// recall takes what it can from the cache and returns the places of what is missing.
func (e *embedding) recall(ctx context.Context) (missing []int) {
	for i := range e.req.Inputs {
		key, ok := e.key(i)
		if !ok || e.req.Cache != CacheExact {
			missing = append(missing, i)
			continue
		}
		kept, hit := e.r.cfg.Cache.Get(ctx, key)
		e.seen[i] = kept.Seen
		vector, whole := unpack(kept.Text)
		if !hit || !whole {
			missing = append(missing, i)
			e.stats(func(s Stats) { s.Miss(e.req.Workspace, TaskEmbedding) })
			continue
		}
		e.out.Vectors[i], e.out.Simulated = vector, e.out.Simulated || kept.Simulated
		e.out.Cached++
		e.found(ctx, key, kept)
	}
	return missing
}

// found counts a vector out of the cache, and ties it to whom it is for.
func (e *embedding) found(ctx context.Context, key cache.Key, kept cache.Entry) {
	e.stats(func(s Stats) {
		s.Hit(e.req.Workspace, TaskEmbedding, growth.CacheHit{As: CachedExact, Saved: kept.Cost, Bytes: len(kept.Text), Age: max(time.Since(kept.At), 0)})
	})
	if e.req.Job != "" || e.req.Lead != "" {
		e.r.cfg.Cache.Link(ctx, key, e.req.Job, e.req.Lead)
	}
}

func (e *embedding) stats(tell func(Stats)) {
	if e.r.cfg.Stats != nil {
		tell(e.r.cfg.Stats)
	}
}

// key names one text's vector in the cache.
func (e *embedding) key(i int) (cache.Key, bool) {
	if e.r.cfg.Cache == nil || e.req.Cache == CacheNone {
		return cache.Key{}, false
	}
	b := binary.AppendVarint([]byte{keyVersion}, int64(e.req.Dimensions))
	for _, text := range []string{e.req.Model, string(e.req.Privacy), e.req.Inputs[i]} {
		b = appendText(b, text)
	}
	return cache.NewKey(e.req.Workspace, TaskEmbedding, b), true
}

// make asks for the vectors at the given places, as a walk over the one candidate that there is.
func (e *embedding) make(ctx context.Context, places []int) error {
	texts, messages := make([]string, len(places)), make([]growth.Message, len(places)) // by the messages a budget estimates
	for i, at := range places {
		texts[i], messages[i].Content = e.req.Inputs[at], e.req.Inputs[at]
	}
	var got providers.Embeddings
	req := Request{
		Task: TaskEmbedding, Workspace: e.req.Workspace, Job: e.req.Job, Step: e.req.Step, Campaign: e.req.Campaign, Key: e.req.Key,
		Messages: messages, Privacy: e.req.Privacy, Ledger: e.req.Ledger,
		RequestID: e.req.RequestID, Force: &growth.Call{Provider: e.out.Provider, Model: e.slug},
		via: func(ctx context.Context, _ *walker, _ Provider, out providers.Request) (resp providers.Response, err error) {
			got, err = e.from.Embed(ctx, providers.EmbedRequest{
				Model: e.slug, Inputs: texts, Dimensions: e.req.Dimensions, ZeroRetention: out.ZeroRetention, RequestID: out.RequestID,
			})
			return got.Response, err
		},
	}
	a, err := e.r.walk(ctx, e.route, req, time.Now())
	if err != nil {
		return err
	}
	e.add(a)
	for i, at := range places {
		e.out.Vectors[at] = got.Vectors[i]
		e.keep(ctx, at, a, len(places))
	}
	return nil
}

func (e *embedding) add(a Answer) {
	u, v := &e.out.Usage, a.Usage
	u.PromptTokens, u.TotalTokens = u.PromptTokens+v.PromptTokens, u.TotalTokens+v.TotalTokens
	e.out.Cost, e.out.Simulated = e.out.Cost.Add(a.Cost), e.out.Simulated || a.Simulated
	e.out.Calls = append(e.out.Calls, a.Calls...)
}

func (e *embedding) keep(ctx context.Context, at int, a Answer, shared int) {
	key, ok := e.key(at)
	if !ok {
		return
	}
	entry := entryOf(a)
	entry.Text, entry.Seen, entry.Job, entry.Lead = pack(e.out.Vectors[at]), e.seen[at], e.req.Job, e.req.Lead
	if shared > 1 {
		entry.Cost = growth.UnknownMoney("USD") // nobody said what one text of several has cost
	}
	e.r.cfg.Cache.Put(ctx, key, entry, embedTTL)
}

// pack writes a vector as base64 of its little-endian numbers, a third of what it takes as JSON.
func pack(v []float32) string {
	b := make([]byte, 0, 4*len(v))
	for _, f := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(f))
	}
	return base64.StdEncoding.EncodeToString(b)
}

func unpack(s string) ([]float32, bool) {
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil || len(b) == 0 || len(b)%4 != 0 {
		return nil, false
	}
	v := make([]float32, len(b)/4)
	for i := range v {
		v[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return v, true
}
