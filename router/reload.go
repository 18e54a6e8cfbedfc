package router

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"time"
)

// ReloadEvery is how often a route file is looked at.
const ReloadEvery = time.Second

// Reload is what became of a route file that has changed. Err is nil when its routes are in force now; otherwise the
// routes before it still are.
type Reload struct {
	Path string
	Err  error
}

// Replace puts other routes in force: walks that have begun end by the old ones. Breakers of new models appear.
func (r *Router) Replace(routes Routes) {
	r.cfg.Breakers.List(routes.BreakerNames()...)
	r.routes.Store(&routes)
}

// Follow keeps the routes those of the file at path until ctx ends, and tells heard of every change. inForce is the text
// that the present routes were read from. The file is read whole as often as every says: it is small, and times of change
// are too coarse to be trusted. A change is taken over once two looks in a row have seen the same, so that a file that is
// still being written is not taken for a broken one.
func (r *Router) Follow(ctx context.Context, path string, inForce []byte, every time.Duration, heard func(Reload)) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	settled, before, missing := inForce, inForce, false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now, err := ReadRouteFile(path)
		if err != nil {
			if !missing {
				heard(Reload{path, err})
			}
			missing, before = true, nil
			continue
		}
		stands := bytes.Equal(now, before)
		before = now
		if stands && (missing || !bytes.Equal(now, settled)) {
			settled, missing = now, false
			heard(Reload{path, r.reload(now)})
		}
	}
}

func (r *Router) reload(file []byte) error {
	routes, err := ParseRoutes(file)
	if err == nil {
		r.Replace(routes)
	}
	return err
}

// ReadRouteFile reads a file as far as a route file may be long, and one byte more, so that ParseRoutes can say so.
func ReadRouteFile(path string) ([]byte, error) {
	f, err := os.Open(path) //nolint:gosec // G304: the operator names the file
	if err != nil {
		return nil, fmt.Errorf("route file: %w", err)
	}
	defer func() { _ = f.Close() }() // nothing was written
	b, err := io.ReadAll(io.LimitReader(f, maxRouteFile+1))
	if err != nil {
		return nil, fmt.Errorf("route file: %w", err)
	}
	return b, nil
}
