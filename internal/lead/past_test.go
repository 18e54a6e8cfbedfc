package lead

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	growth "github.com/zakibelm/astrogrowth"
)

// plainPast keeps everything in lists, and says what nobody may do.
type plainPast struct {
	leads map[int32][]byte
	keys  []KeptKey
	fault error
}

func (p *plainPast) Keep(_ context.Context, leads []KeptLead, keys []KeptKey) error {
	for _, l := range leads {
		if _, there := p.leads[l.Number]; there == l.Fresh {
			return fmt.Errorf("lead %d is fresh: %v, there: %v", l.Number, l.Fresh, there)
		}
		p.leads[l.Number] = l.Data
	}
	p.keys = append(p.keys, keys...)
	return p.fault
}

func (p *plainPast) Recall(_ context.Context, keys []Digest) (leads []KeptLead, found []KeptKey, err error) {
	seen := map[int32]bool{}
	for _, k := range p.keys {
		if !slices.Contains(keys, k.Key) {
			continue
		}
		found = append(found, k)
		if !seen[k.Lead] {
			seen[k.Lead] = true
			leads = append(leads, KeptLead{Number: k.Lead, Data: p.leads[k.Lead]})
		}
	}
	return leads, found, p.fault
}

// scanned is what a scan gives, whatever its memory.
type scanned struct {
	Tally Tally
	Leads []growth.Lead
}

// failing is what tests of either kind have.
type failing interface {
	Fatal(args ...any)
	Context() context.Context
}

func scanIn(t failing, file string, holding int, past Past) (out scanned, c *Collector) {
	plan, err := NewPlan(func() (io.Reader, error) { return strings.NewReader(file), nil }, Stated{Delimiter: ';'})
	if err != nil {
		t.Fatal(err)
	}
	s := scan{c: NewCollector(), holding: holding, Sinks: Sinks{Past: past, Leads: func(ls []growth.Lead) error {
		out.Leads = append(out.Leads, ls...)
		return nil
	}}}
	s.c.past = past
	if out.Tally, err = s.all(t.Context(), Open(strings.NewReader(file), plan.Format, plan.Mapping)); err != nil {
		t.Fatal(err)
	}
	return out, s.c
}

// A scan that leaves everything to the past finds the duplicates that one finds which forgets nothing.
func TestScanFindsInThePastWhatMemoryWouldKnow(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		some := func(values ...string) string { return rapid.SampledFrom(append(values, "", "")).Draw(t, "value") }
		var b strings.Builder
		b.WriteString("external_id;business_name;email;website;address;city\n")
		for range rapid.IntRange(1, 60).Draw(t, "rows") {
			fmt.Fprintln(&b, strings.Join([]string{
				some("1", "2", "3"), some("Café Un", "CAFE UN", "Deux"), some("a@x.ca", "A@x.ca", "b@x.ca", "none"),
				some("x.ca", "www.x.ca", "y.ca"), some("1 rue A", "1, RUE A", "2 rue B"), some("Laval"),
			}, ";"))
		}
		holding := rapid.IntRange(1, 7).Draw(t, "holding")
		want, _ := scanIn(t, b.String(), holding, nil)
		got, _ := scanIn(t, b.String(), holding, &plainPast{leads: map[int32][]byte{}})
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("in memory (-), with a past (+):\n%s\n%s", d, b.String())
		}
	})
}

func TestScanForgetsWhatItLeftToThePast(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("external_id;business_name\n")
	for n := range 5_000 {
		fmt.Fprintf(&b, "%d;Boutique %d\n", n, n)
	}
	const holding = 70
	got, c := scanIn(t, b.String(), holding, &plainPast{leads: map[int32][]byte{}})
	if n := len(c.known) + len(c.index) + len(c.shared); len(got.Leads) != 5_000 || n > 2*holding {
		t.Fatalf("%d leads; %d things are in memory, want those of the last %d rows", len(got.Leads), n, holding)
	}
}

func TestScanEndsWhenThePastFails(t *testing.T) {
	t.Parallel()
	file := "business_name;email\n" + strings.Repeat("A;a@x.ca\n", 2*defaultHolding)
	plan, err := NewPlan(func() (io.Reader, error) { return strings.NewReader(file), nil }, Stated{})
	if err != nil {
		t.Fatal(err)
	}
	gone := errors.New("gone")
	if _, err := plan.Scan(t.Context(), strings.NewReader(file), Sinks{Past: &plainPast{leads: map[int32][]byte{}, fault: gone}}); !errors.Is(err, gone) {
		t.Errorf("error %v, want what the past says", err)
	}
}

func TestKeptLeadsAreReadBack(t *testing.T) {
	t.Parallel()
	k := &known{line: 1 << 40, keys: [len(keyKinds)]Digest{1: {1}, 4: {4}}, forms: []Digest{{7}, {8}}}
	got, err := readKnown(k.bytes())
	if err != nil || got.line != k.line || got.keys != k.keys || !slices.Equal(got.forms, k.forms) {
		t.Errorf("%+v comes back as %+v: %v", k, got, err)
	}
	for n := range k.bytes() {
		if got, err := readKnown(k.bytes()[:n]); err == nil && len(got.forms) == 2 {
			t.Errorf("half a lead of %d bytes is read as whole", n)
		}
	}
}
