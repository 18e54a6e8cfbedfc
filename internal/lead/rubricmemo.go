package lead

import (
	"crypto/sha256"
	"sync"
)

// maxParsed is how many rubrics are remembered; a workspace uses one or two.
const maxParsed = 256

// parsed remembers the rubrics that were read: reading one takes longer than scoring a hundred leads by it.
var parsed, parsedKept rubricMemo

// rubricMemo remembers rubrics by what their text hashes to. Texts at fault are read again each time.
type rubricMemo struct {
	mu    sync.RWMutex
	known map[[sha256.Size]byte]Rubric
}

func (m *rubricMemo) of(src []byte, parse func([]byte) (Rubric, error)) (Rubric, error) {
	sum := sha256.Sum256(src)
	m.mu.RLock()
	r, ok := m.known[sum]
	m.mu.RUnlock()
	if ok {
		return r, nil
	}
	r, err := parse(src)
	if err != nil {
		return r, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known == nil || len(m.known) >= maxParsed {
		m.known = map[[sha256.Size]byte]Rubric{} // the few in use are back at once
	}
	m.known[sum] = r
	return r, nil
}
