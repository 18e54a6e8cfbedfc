package tasks

import (
	"testing"
	"time"

	"github.com/zakibelm/astrogrowth/store"
)

func TestCallbackPausesBeginShortAndLastADay(t *testing.T) {
	t.Parallel()
	if first := callbackPause(1); first != time.Second {
		t.Errorf("the first pause is %v; want 1s, the moment in which n8n reaches its Wait node", first)
	}
	var whole time.Duration
	for attempt := 1; attempt < store.CallbackAttempts; attempt++ {
		whole += callbackPause(attempt)
	}
	if whole < 24*time.Hour || whole > 26*time.Hour {
		t.Errorf("all pauses together last %v; want a little over 24h", whole)
	}
}
