package wiring

import (
	"context"
	"encoding/json"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/events"
	"github.com/zakibelm/astrogrowth/router/breaker"
	"github.com/zakibelm/astrogrowth/store"
)

// breakerEvent is the type of the event that every change of a breaker is.
const breakerEvent = "breaker.changed"

// breakerWatch makes of every change of a breaker in this process a log line, a metric and an event.
type breakerWatch struct {
	base    *Base
	set     *breaker.Set
	changes chan breaker.Change
	total   *prometheus.CounterVec
	state   *prometheus.Desc
}

func newBreakerWatch(b *Base, set *breaker.Set) *breakerWatch {
	w := &breakerWatch{
		base: b, set: set, changes: make(chan breaker.Change, 256),
		total: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "astrogrowth_breaker_changes_total", Help: "Changes of circuit breakers that this process made, by the new state.",
		}, []string{"breaker", "state"}),
		state: prometheus.NewDesc("astrogrowth_breaker_state",
			"The state of a circuit breaker as this process knows it: 0 closed, 1 half-open, 2 open.", []string{"breaker"}, nil),
	}
	b.Health.Registry().MustRegister(w)
	return w
}

// Describe names the metrics.
func (w *breakerWatch) Describe(ch chan<- *prometheus.Desc) {
	w.total.Describe(ch)
	ch <- w.state
}

// Collect reads the states when they are asked for, so that they cost a call nothing.
func (w *breakerWatch) Collect(ch chan<- prometheus.Metric) {
	w.total.Collect(ch)
	for name, s := range w.set.Status() {
		value := map[breaker.State]float64{breaker.Closed: 0, breaker.HalfOpen: 1, breaker.Open: 2}[s.State]
		ch <- prometheus.MustNewConstMetric(w.state, prometheus.GaugeValue, value, name)
	}
}

// changed hears of a change. It does not wait: what is slow is done by run.
func (w *breakerWatch) changed(c breaker.Change) {
	w.total.WithLabelValues(c.Name, string(c.State)).Inc()
	w.base.Log.Warn().Str("breaker", c.Name).Str("state", string(c.State)).Time("until", c.Until).Int("trips", c.Trips).
		Bool("reset", c.Reset).Msg("breaker changed")
	select {
	case w.changes <- c:
	default:
		w.base.Log.Error().Str("breaker", c.Name).Msg("event of a breaker lost: too many at once")
	}
}

// run writes the events until ctx ends, and then those that are left.
func (w *breakerWatch) run(ctx context.Context) {
	for {
		select {
		case c := <-w.changes:
			w.record(ctx, c)
			continue
		default:
		}
		select {
		case <-ctx.Done():
			return
		case c := <-w.changes:
			w.record(ctx, c)
		}
	}
}

// record writes an event into the workspace that every installation begins with: breakers belong to no client's.
func (w *breakerWatch) record(ctx context.Context, c breaker.Change) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := w.write(ctx, c); err != nil {
		w.base.Log.Error().Err(err).Str("breaker", c.Name).Msg("event of a breaker not written")
	}
}

func (w *breakerWatch) write(ctx context.Context, c breaker.Change) error {
	ws, err := w.base.Store.WorkspaceBySlug(ctx, growth.DefaultWorkspace)
	if err != nil {
		return err
	}
	data := map[string]any{"breaker": c.Name, "state": c.State, "process": c.From, "reset": c.Reset}
	if c.State == breaker.Open {
		data["until"], data["trips"] = c.Until.UTC(), c.Trips
	}
	b, err := json.Marshal(data)
	if err != nil {
		return err
	}
	if err := w.base.Store.InTx(ctx, func(tx *store.Tx) error {
		return tx.AddEvent(ctx, ws.ID, "", store.NewEvent{Type: breakerEvent, Data: b})
	}); err != nil {
		return err
	}
	_ = events.Publish(ctx, w.base.Redis, events.Notice{Workspace: ws.ID, Type: breakerEvent}) // who missed it looks again by itself
	return nil
}
