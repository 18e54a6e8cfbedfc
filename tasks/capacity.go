package tasks

import (
	"context"
	"time"

	"github.com/hibiken/asynq"

	growth "github.com/zakibelm/astrogrowth"
)

// spareSlots is how many slots a queue's server has beyond those that one workspace may fill: a job of another
// workspace finds one at once, however long the jobs of the first take.
func spareSlots(concurrency int) int { return max(concurrency/4, 1) }

// capacity knows how many slots of each queue one workspace may fill, in all workers together.
type capacity struct {
	inspect *asynq.Inspector
	read    time.Time
	slots   map[string]int
}

const (
	capacityEvery   = 5 * time.Second
	capacitySoon    = 100 * time.Millisecond // while no worker has said anything
	capacityUnknown = 1                      // as above: no more may lie in Redis than the smallest worker leaves room beside
)

// refresh asks Redis which servers run, at most every capacityEvery. What cannot be read stays as it was.
func (c *capacity) refresh(ctx context.Context, now time.Time) {
	every := capacityEvery
	if len(c.slots) == 0 {
		every = capacitySoon
	}
	if now.Sub(c.read) < every || ctx.Err() != nil {
		return
	}
	c.read = now
	servers, err := c.inspect.Servers()
	if err != nil {
		return
	}
	slots := map[string]int{}
	for _, s := range servers {
		for _, q := range growth.Queues() {
			if _, serves := s.Queues[q]; serves && s.Status == "active" {
				slots[q] += max(s.Concurrency-spareOf(s.Concurrency), 1)
			}
		}
	}
	c.slots = slots
}

func (c *capacity) of(queue string) int {
	if n := c.slots[queue]; n > 0 {
		return n
	}
	return capacityUnknown
}

// spareOf is how many of a server's slots are spare: the inverse of what Server adds.
func spareOf(slots int) int { return max(slots/5, 1) }
