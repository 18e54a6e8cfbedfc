package lead_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/lead"
)

func TestCollectorMerges(t *testing.T) {
	t.Parallel()
	c := lead.NewCollector()
	extra := func(k, v string) map[string]string { return map[string]string{k: v} }
	c.Add(2, growth.Lead{BusinessName: "Café Un", Address: "1 rue A", Extra: extra("fine", "100 $")})
	c.Add(3, growth.Lead{BusinessName: "Autre", Address: "2 rue B"})
	d, dup := c.Add(4, growth.Lead{BusinessName: "CAFE UN", Address: "1, rue A", Email: "un@x.ca", Extra: extra("fine", "200 $")})
	want := lead.Duplicate{Line: 4, OfLine: 2, Key: lead.KeyNameAddress, Name: "CAFE UN", OfName: "Café Un", Address: "1, rue A", ByFoldingOnly: true}
	if cmp.Diff(want, d) != "" || !dup {
		t.Errorf("duplicate %v = %+v, want %+v", dup, d, want)
	}
	// The e-mail of line 4 now identifies the lead of line 2, and 100 $ is known already.
	d, dup = c.Add(5, growth.Lead{BusinessName: "Un", Email: "UN@x.ca", Extra: extra("fine", "100 $")})
	if !dup || d.OfLine != 2 || d.Key != lead.KeyEmail {
		t.Errorf("duplicate %v = %+v", dup, d)
	}
	if d, _ := c.Add(6, growth.Lead{BusinessName: "CAFE UN", Address: "1, rue A"}); d.ByFoldingOnly {
		t.Error("a way of writing that was seen before is reported again")
	}
	got := c.Drain()
	leads := []growth.Lead{
		{BusinessName: "Café Un", Address: "1 rue A", Email: "un@x.ca", Extra: extra("fine", "100 $ | 200 $")},
		{BusinessName: "Autre", Address: "2 rue B"},
	}
	if d := cmp.Diff(leads, got); d != "" {
		t.Errorf("leads (-want +got):\n%s", d)
	}
}

func TestCollectorKnowsWhatItDrained(t *testing.T) {
	t.Parallel()
	c := lead.NewCollector()
	c.Add(2, growth.Lead{ExternalID: "1", BusinessName: "A"})
	c.Add(3, growth.Lead{ExternalID: "2", BusinessName: "B"})
	if n := len(c.Drain()); n != 2 {
		t.Errorf("%d leads drained, want both", n)
	}
	if d, dup := c.Add(4, growth.Lead{ExternalID: "1"}); !dup || d.OfLine != 2 {
		t.Errorf("duplicate %v of line %d, want line 2", dup, d.OfLine)
	}
	if n := len(c.Drain()); n != 0 {
		t.Errorf("%d leads drained, want none: they went out before", n)
	}
}

func TestCollectorBoundsWhatItJoins(t *testing.T) {
	t.Parallel()
	c := lead.NewCollector()
	for i := range 1000 {
		c.Add(i+2, growth.Lead{ExternalID: "1", Extra: map[string]string{"v": fmt.Sprintf("value %d", i)}})
	}
	got := c.Drain()[0].Extra["v"]
	if !strings.HasPrefix(got, "value 0 | value 1 | ") || len(got) > 1100 {
		t.Errorf("%d characters joined: %.60q", len(got), got)
	}
}

func BenchmarkCollector(b *testing.B) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	c := lead.NewCollector()
	for i := 0; b.Loop(); i++ {
		c.Add(i, growth.Lead{BusinessName: fmt.Sprintf("Shop %d", i), Address: fmt.Sprintf("%d rue Principale", i), City: "Laval"})
		if i%20_000 == 0 {
			c.Drain()
		}
	}
	c.Drain()
	runtime.GC()
	runtime.ReadMemStats(&after)
	if _, n, _, _ := c.Counts(); n > 0 {
		b.ReportMetric(float64(int64(after.HeapAlloc)-int64(before.HeapAlloc))/float64(n), "held-B/lead")
	}
	runtime.KeepAlive(c)
}
