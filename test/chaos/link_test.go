//go:build e2e

package chaos

import (
	"net"
	"sync"
	"testing"
	"time"
)

// link carries connections from a TCP port to a unix socket and can be slowed down or cut, as a network can.
type link struct {
	listener net.Listener
	socket   string

	mu    sync.Mutex
	delay time.Duration
	down  bool
	open  map[net.Conn]bool
}

func newLink(t *testing.T, socket string) *link {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	k := &link{listener: l, socket: socket, open: map[net.Conn]bool{}}
	go k.serve()
	t.Cleanup(func() {
		_ = l.Close()
		k.cut()
	})
	return k
}

func (k *link) addr() string { return k.listener.Addr().String() }

func (k *link) serve() {
	for {
		near, err := k.listener.Accept()
		if err != nil {
			return
		}
		go k.carry(near)
	}
}

func (k *link) carry(near net.Conn) {
	k.mu.Lock()
	down := k.down
	k.mu.Unlock()
	far, err := (&net.Dialer{Timeout: time.Second}).Dial("unix", k.socket)
	if down || err != nil {
		_ = near.Close()
		if err == nil {
			_ = far.Close()
		}
		return
	}
	k.mu.Lock()
	k.open[near], k.open[far] = true, true
	k.mu.Unlock()
	var wg sync.WaitGroup
	wg.Go(func() { k.pump(far, near) })
	wg.Go(func() { k.pump(near, far) })
	wg.Wait()
	k.mu.Lock()
	delete(k.open, near)
	delete(k.open, far)
	k.mu.Unlock()
}

func (k *link) pump(to, from net.Conn) {
	defer func() {
		_ = to.Close()
		_ = from.Close()
	}()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			k.mu.Lock()
			d := k.delay
			k.mu.Unlock()
			if d > 0 {
				time.Sleep(d)
			}
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// cut ends every connection that is open.
func (k *link) cut() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for c := range k.open {
		_ = c.Close()
	}
}

// outage cuts the link for d.
func (k *link) outage(d time.Duration) {
	k.set(func() { k.down = true })
	k.cut()
	time.Sleep(d)
	k.set(func() { k.down = false })
}

// slow adds a delay to everything for d.
func (k *link) slow(delay, d time.Duration) {
	k.set(func() { k.delay = delay })
	time.Sleep(d)
	k.set(func() { k.delay = 0 })
}

func (k *link) set(f func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	f()
}
