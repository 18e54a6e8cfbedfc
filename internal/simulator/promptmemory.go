package simulator

import (
	"hash/maphash"
	"sync"
)

// What a host keeps of the prompts that it has seen. Real ones begin at 1,024 tokens; the product's prompts are shorter.
const (
	leastCached = 32 // tokens
	mostPrompts = 4096
)

// promptMemory knows the first turns that a model has read before: they are cheaper the next time. The zero value knows
// none.
type promptMemory struct {
	mu   sync.Mutex
	seed maphash.Seed
	seen map[uint64]bool
}

// remember returns how many tokens of a conversation the model has in memory, and puts its first turn there.
func (m *promptMemory) remember(model string, turns []turn) int {
	if len(turns) < 2 || tokens(turns[0].Content) < leastCached {
		return 0
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.seen == nil {
		m.seed, m.seen = maphash.MakeSeed(), map[uint64]bool{}
	}
	first := maphash.String(m.seed, model+"\x00"+turns[0].Role+"\x00"+turns[0].Content)
	if m.seen[first] {
		return promptTokens(turns[:1])
	}
	if len(m.seen) >= mostPrompts {
		clear(m.seen)
	}
	m.seen[first] = true
	return 0
}

func (m *promptMemory) reset() {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.seen)
}
