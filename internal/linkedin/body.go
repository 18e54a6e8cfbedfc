package linkedin

import (
	"io"
	"sync/atomic"
)

// watchedBody is a request's body that remembers whether anyone asked for its first byte. The transport's own trace
// fires when headers are in its buffer, which proves nothing either way; a body that was never read proves that no
// whole request went out.
type watchedBody struct {
	r    io.Reader
	read atomic.Bool
}

// Read hands out the body and notes it.
func (b *watchedBody) Read(p []byte) (int, error) {
	b.read.Store(true)
	return b.r.Read(p)
}

// Close does nothing: there is nothing to let go.
func (b *watchedBody) Close() error { return nil }
