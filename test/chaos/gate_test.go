//go:build e2e

package chaos

import (
	"bufio"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
)

// hold is a place in the life of one request to LinkedIn at which a gate keeps it.
type hold string

// The places. At each the worker has no answer yet, and is killed there.
const (
	beforeClaim   hold = "before the claim"        // an image is being uploaded, the post is not claimed
	afterClaim    hold = "after the claim"         // connected, and nothing has left yet that LinkedIn could read
	midRequest    hold = "in the middle of a send" // LinkedIn has half of the request
	afterAccepted hold = "after 201, before save"  // LinkedIn has made the post, and its answer is on the way
)

// gate carries one worker's connections to the simulator. Once armed it keeps the next fitting request where it was told
// to, says so, and never lets it go on.
type gate struct {
	listener net.Listener
	target   string

	mu    sync.Mutex
	armed hold
	held  chan struct{}
}

func newGate(t *testing.T, target string) *gate {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{listener: l, target: target}
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			go g.carry(near)
		}
	}()
	t.Cleanup(func() { _ = l.Close() })
	return g
}

func (g *gate) url() string { return "http://" + g.listener.Addr().String() }

// arm has the next request that fits kept; the channel closes when it is.
func (g *gate) arm(at hold) <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.armed, g.held = at, make(chan struct{})
	return g.held
}

// keeps says where the request that begins with line is to be kept; "": nowhere.
func (g *gate) keeps(line string) hold {
	g.mu.Lock()
	defer g.mu.Unlock()
	fits := strings.HasPrefix(line, "POST /linkedin/rest/posts ")
	if g.armed == beforeClaim {
		fits = strings.HasPrefix(line, "POST /linkedin/rest/images")
	}
	if g.armed == "" || !fits {
		return ""
	}
	at := g.armed
	g.armed = ""
	return at
}

func (g *gate) carry(near net.Conn) {
	defer func() { _ = near.Close() }()
	in := bufio.NewReader(near)
	line, err := in.ReadString('\n')
	if err != nil {
		return
	}
	at := g.keeps(line)
	if at == beforeClaim || at == afterClaim {
		g.keep(in)
		return
	}
	far, err := (&net.Dialer{}).Dial("tcp", g.target)
	if err != nil {
		return
	}
	defer func() { _ = far.Close() }()
	if _, err := io.WriteString(far, line); err != nil {
		return
	}
	switch at {
	case midRequest:
		_, _ = io.CopyN(far, in, 150) // some headers, and no body
		g.keep(in)
	case afterAccepted:
		go func() { _, _ = io.Copy(far, in) }()
		if _, err := far.Read(make([]byte, 64<<10)); err == nil {
			g.said()
			_, _ = io.Copy(io.Discard, far)
		}
	default:
		go func() {
			_, _ = io.Copy(far, in)
			_ = far.Close()
		}()
		_, _ = io.Copy(near, far)
	}
}

// keep says that the request is held, and holds it until the worker is gone.
func (g *gate) keep(in io.Reader) {
	g.said()
	_, _ = io.Copy(io.Discard, in)
}

func (g *gate) said() {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.held)
}
