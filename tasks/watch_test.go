package tasks_test

import (
	"testing"
	"time"

	"github.com/rs/zerolog"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/analytics"
	"github.com/zakibelm/astrogrowth/internal/events"
	"github.com/zakibelm/astrogrowth/internal/testenv"
	"github.com/zakibelm/astrogrowth/store"
	"github.com/zakibelm/astrogrowth/tasks"
)

// Of several watchers one has the turn; it opens the alert, and listeners hear of it.
func TestWatchersTakeTurns(t *testing.T) {
	t.Parallel()
	s, rdb := testenv.Store(t), testenv.RedisClient(t)
	ws := testenv.Workspace(t, s)
	call := growth.Call{
		ID: growth.CallID(growth.NewID()), Workspace: ws.ID, Task: growth.TaskSimple, Provider: "openrouter", Model: "m", Status: growth.CallOK,
		Decision: growth.DecisionAnswered, Cost: growth.UnknownMoney("USD"), StartedAt: time.Now(),
	}
	if err := s.InTx(t.Context(), func(tx *store.Tx) error { return tx.SaveCalls(t.Context(), []growth.Call{call}, 0) }); err != nil {
		t.Fatal(err)
	}
	bus := &events.Bus{}
	heard, stop := bus.Listen(ws.ID, "")
	defer stop()
	go bus.Run(t.Context(), rdb)
	w := &tasks.Watcher{Desk: analytics.Desk{Store: s, Currency: "USD"}, Redis: rdb, Log: zerolog.Nop()}
	first, err := s.TakeTurn(t.Context(), "watch", time.Minute)
	if err != nil || !first {
		t.Fatalf("first = %v, %v", first, err)
	}
	if err := w.Pass(t.Context()); err != nil { // another one had this minute
		t.Fatal(err)
	}
	if open, err := s.In(ws.ID).Alerts(t.Context(), "open", store.Page{}); err != nil || len(open) != 0 {
		t.Fatalf("out of turn: %v, %v", open, err)
	}
	if err := w.Look(t.Context(), time.Now()); err != nil {
		t.Fatal(err)
	}
	open, err := s.In(ws.ID).Alerts(t.Context(), "open", store.Page{})
	if err != nil || len(open) != 1 || open[0].Kind != "unknown_costs" {
		t.Fatalf("open = %+v, %v", open, err)
	}
	end := time.After(time.Minute)
	again := time.NewTicker(200 * time.Millisecond) // a listener that joins late is told at the next change
	defer again.Stop()
	for {
		select {
		case n := <-heard:
			if n.Type != "alert.opened" && n.Type != "alert.resolved" {
				t.Errorf("heard %+v", n)
			}
			return
		case <-again.C:
			if err := w.Look(t.Context(), time.Now()); err != nil {
				t.Fatal(err)
			}
			if _, err := s.In(ws.ID).SetAlerts(t.Context(), nil, time.Now().Add(time.Hour)); err != nil {
				t.Fatal(err)
			}
		case <-end:
			t.Fatal("nobody was told of the alert")
		}
	}
}
