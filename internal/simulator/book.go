package simulator

import (
	"slices"
	"sync"
	"time"

	"github.com/shopspring/decimal"
)

// Entry is one request in the book.
type Entry struct {
	Seq              int64           `json:"seq"`
	At               time.Time       `json:"at"`
	Provider         string          `json:"provider"`
	Endpoint         string          `json:"endpoint"`
	Method           string          `json:"method"`
	Path             string          `json:"path"`
	Model            string          `json:"model,omitempty"`    // as the request named it
	Answered         string          `json:"answered,omitempty"` // as the answer named it
	Status           int             `json:"status"`             // 0: no answer was given
	Fault            string          `json:"fault,omitempty"`
	Stream           bool            `json:"stream,omitempty"`
	Canceled         bool            `json:"canceled,omitempty"` // the client left before the end
	PromptTokens     int             `json:"prompt_tokens,omitempty"`
	CompletionTokens int             `json:"completion_tokens,omitempty"`
	CachedTokens     int             `json:"cached_tokens,omitempty"`
	CostUSD          decimal.Decimal `json:"cost_usd"`
	FinishReason     string          `json:"finish_reason,omitempty"`
	Generation       string          `json:"generation,omitempty"`
	RequestID        string          `json:"request_id,omitempty"`
	URN              string          `json:"urn,omitempty"`
	BytesIn          int             `json:"bytes_in"`
	LatencyMS        int64           `json:"latency_ms"`
}

// Count is the sum of some rows of the book.
type Count struct {
	Requests         int64           `json:"requests"`
	Failed           int64           `json:"failed"` // answered with 400 or above, or not at all
	PromptTokens     int64           `json:"prompt_tokens"`
	CompletionTokens int64           `json:"completion_tokens"`
	CostUSD          decimal.Decimal `json:"cost_usd"`
}

func (c *Count) add(e Entry) {
	c.Requests++
	if e.Status == 0 || e.Status >= 400 {
		c.Failed++
	}
	c.PromptTokens += int64(e.PromptTokens)
	c.CompletionTokens += int64(e.CompletionTokens)
	c.CostUSD = c.CostUSD.Add(e.CostUSD)
}

// Totals are the sums over everything since the start or the last reset, also over rows that have left the book.
type Totals struct {
	All       Count            `json:"all"`
	Providers map[string]Count `json:"providers"`
	Models    map[string]Count `json:"models"` // by "provider/model"
}

const (
	bookSize  = 100_000
	maxModels = 1000 // names come from requests, so their number has to have an end
	otherName = "other"
)

// book keeps the newest rows in a ring and the sums of all.
type book struct {
	mu          sync.Mutex
	rows        []Entry
	size        int
	last        int64
	all         Count
	providers   map[string]*Count
	models      map[string]*Count
	generations map[string]int64
	keep        int
	bodies      []Body
}

// Body is a request as it came in, kept only on demand.
type Body struct {
	Seq      int64  `json:"seq"`
	Provider string `json:"provider"`
	Body     string `json:"body"`
}

func newBook() *book {
	b := &book{size: bookSize}
	b.reset()
	return b
}

func (b *book) reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rows, b.bodies, b.all = nil, nil, Count{}
	b.providers, b.models, b.generations = map[string]*Count{}, map[string]*Count{}, map[string]int64{}
}

// add numbers the row and enters it.
func (b *book) add(e Entry, body []byte) Entry {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.last++
	e.Seq = b.last
	if len(b.rows) < b.size {
		b.rows = append(b.rows, e)
	} else {
		old := &b.rows[int(b.all.Requests)%b.size]
		delete(b.generations, old.Generation)
		*old = e
	}
	b.all.add(e)
	count(b.providers, e.Provider).add(e)
	if e.Model != "" {
		count(b.models, e.Provider+"/"+e.Model).add(e)
	}
	if e.Generation != "" {
		b.generations[e.Generation] = e.Seq
	}
	if b.keep > 0 && len(body) > 0 {
		b.bodies = append(b.bodies, Body{Seq: e.Seq, Provider: e.Provider, Body: string(body)})
		b.bodies = b.bodies[max(0, len(b.bodies)-b.keep):]
	}
	return e
}

func count(m map[string]*Count, name string) *Count {
	if c, ok := m[name]; ok {
		return c
	}
	if len(m) >= maxModels {
		name = otherName
		if c, ok := m[name]; ok {
			return c
		}
	}
	c := &Count{}
	m[name] = c
	return c
}

// filter says which rows are wanted; its zero value wants all.
type filter struct {
	provider string
	after    int64 // rows with a higher number only
	limit    int   // the newest so many; 0: all
}

// list returns rows from the oldest to the newest.
func (b *book) list(f filter) []Entry {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := []Entry{}
	for i := range len(b.rows) { // from the newest on
		e := b.row(b.last - int64(i))
		if e.Seq <= f.after || (f.limit > 0 && len(out) >= f.limit) {
			break
		}
		if f.provider == "" || e.Provider == f.provider {
			out = append(out, *e)
		}
	}
	slices.Reverse(out)
	return out
}

// row finds a row by its number, which has to be in the book.
func (b *book) row(seq int64) *Entry {
	first := b.last - b.all.Requests // the number before the first since the last reset
	return &b.rows[int(seq-first-1)%b.size]
}

// generation finds the row of an answer by the provider's id of it.
func (b *book) generation(id string) (Entry, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	seq, ok := b.generations[id]
	if !ok {
		return Entry{}, false
	}
	return *b.row(seq), true
}

func (b *book) totals() Totals {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := Totals{All: b.all, Providers: map[string]Count{}, Models: map[string]Count{}}
	for n, c := range b.providers {
		t.Providers[n] = *c
	}
	for n, c := range b.models {
		t.Models[n] = *c
	}
	return t
}

func (b *book) keepBodies(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.keep = n
	b.bodies = b.bodies[max(0, len(b.bodies)-n):]
}

func (b *book) keptBodies() []Body {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]Body{}, b.bodies...)
}

// Entries returns the newest rows of the book, oldest first: at most limit of them, all when limit is 0.
func (s *Server) Entries(limit int) []Entry { return s.book.list(filter{limit: limit}) }

// Totals returns the sums of the book.
func (s *Server) Totals() Totals { return s.book.totals() }

// KeepBodies makes the book keep the newest n request bodies, none when n is 0. They hold what was sent word for word,
// so it is for tests that look for what must not be sent.
func (s *Server) KeepBodies(n int) { s.book.keepBodies(n) }

// Bodies returns the request bodies that were kept, oldest first.
func (s *Server) Bodies() []Body { return s.book.keptBodies() }
