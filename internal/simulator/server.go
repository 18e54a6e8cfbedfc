// Package simulator is a stand-in for the outside world: one http.Handler that speaks the wire formats of OpenRouter,
// the Hugging Face router, Ollama and LinkedIn, so that the product runs and can be tried without an account anywhere.
// Its answers come from the request it is sent, it can be told to be slow, to refuse and to fail, and it keeps a book of
// what it received and what that would have cost. It refuses to know the product: it imports none of its packages and
// reads requests only as the providers would, so that a wrong client is caught here and not in production.
package simulator

import (
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
)

// Header is set to "1" on every answer, so that a client can mark what it got as simulated.
const Header = "X-Astrogrowth-Simulator"

// The names of the simulated providers, as they appear in faults, in the book and as first part of every path.
const (
	OpenRouter  = "openrouter"
	HuggingFace = "huggingface"
	Ollama      = "ollama"
	LinkedIn    = "linkedin"
)

// Config shapes a simulator. The zero value answers at once and draws its random numbers from the system.
type Config struct {
	Log      zerolog.Logger
	Latency  time.Duration    // before every answer
	PerToken time.Duration    // added for every token of an answer
	Seed     uint64           // of identifiers and of fault rates; 0: another one each time
	Now      func() time.Time // nil: time.Now
}

// Server is the simulator. It is safe for concurrent use and starts no goroutine.
type Server struct {
	log       zerolog.Logger
	latency   time.Duration
	perToken  time.Duration
	now       func() time.Time
	mux       *http.ServeMux
	catalogue *catalogue
	book      *book
	faults    *faultSet
	feed      *feed
	pictures  *pictures
	memory    *ollamaMemory
	prompts   promptMemory
	rubrics   rubrics
	tier      freeTier
	oauth     oauthBook
	dice      *dice
	done      chan struct{}
	closing   sync.Once
}

// New returns a simulator that is ready to serve.
func New(cfg Config) *Server {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Seed == 0 {
		cfg.Seed = rand.Uint64() //nolint:gosec // identifiers of a simulator guard nothing
	}
	d := newDice(cfg.Seed)
	s := &Server{
		log: cfg.Log, latency: cfg.Latency, perToken: cfg.PerToken, now: cfg.Now,
		mux: http.NewServeMux(), catalogue: builtinCatalogue(), book: newBook(), faults: newFaultSet(d),
		feed: newFeed(), pictures: newPictures(), memory: newOllamaMemory(), dice: d, done: make(chan struct{}),
	}
	s.routes()
	return s
}

// ServeHTTP answers as the provider whose name is the first part of the path.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set(Header, "1")
	s.mux.ServeHTTP(w, r)
}

// Close ends every answer that a fault keeps hanging. Call it before the HTTP server's own Shutdown, which would
// otherwise wait for them.
func (s *Server) Close() { s.closing.Do(func() { close(s.done) }) }

// Reset forgets the book, the posts and their pictures, the faults, the limits of the free tier and which models are loaded.
func (s *Server) Reset() {
	s.book.reset()
	s.faults.clear("")
	s.feed.reset()
	s.pictures.reset()
	s.memory.reset()
	s.tier.set(FreeTier{})
	s.prompts.reset()
	s.oauth.reset()
}

func (s *Server) routes() {
	s.routesOpenRouter()
	s.routesHuggingFace()
	s.routesOllama()
	s.routesLinkedIn()
	s.routesOAuth()
	s.routesControl()
	s.mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte(indexText))
	})
}

const indexText = `AstroGrowth simulator. Nothing here reaches a real provider.

/openrouter/api/v1/   chat/completions, embeddings, models, key, credits, generation
/huggingface/v1/      chat/completions, models
/ollama/              api/chat, api/embed, api/tags, api/show, api/ps, api/version
/linkedin/            rest/posts, rest/images, rest/socialActions, v2/ugcPosts, v2/assets, v2/userinfo, feed/update/{urn}/, oauth/v2/
/_book                what was received and what it would have cost
/_control/            faults, posts, bodies, free_tier, oauth, reset
`

// dice is a random source that several requests may use at once.
type dice struct {
	mu     sync.Mutex
	rng    *rand.Rand
	serial atomic.Int64
}

func newDice(seed uint64) *dice {
	return &dice{rng: rand.New(rand.NewPCG(seed, seed^0x9e3779b97f4a7c15))} //nolint:gosec // it has to be repeatable
}

// chance is true with probability p.
func (d *dice) chance(p float64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.rng.Float64() < p
}

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// word returns n random letters and digits.
func (d *dice) word(n int) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	b := make([]byte, n)
	for i := range b {
		b[i] = letters[d.rng.IntN(len(letters))]
	}
	return string(b)
}

// number returns an identifier made like LinkedIn's: milliseconds in the high bits, so that it is not used again after
// a restart, and a serial number below.
func (d *dice) number(now time.Time) int64 {
	return now.UnixMilli()<<22 | (d.serial.Add(1) & (1<<22 - 1))
}
