package growth_test

import (
	"testing"

	growth "github.com/zakibelm/astrogrowth"
)

func TestSplitLaneIsTheInverseOfLane(t *testing.T) {
	t.Parallel()
	for _, q := range growth.Queues() {
		for _, p := range []growth.Priority{growth.PriorityHigh, growth.PriorityNormal, growth.PriorityLow} {
			if queue, priority := growth.SplitLane(growth.Lane(q, p)); queue != q || priority != p {
				t.Errorf("%s %s came back as %s %s", q, p, queue, priority)
			}
		}
	}
}
