package lead

import (
	"encoding/binary"
	"hash/maphash"
	"slices"
	"strings"
	"unicode/utf8"

	growth "github.com/zakibelm/astrogrowth"
)

const (
	maxJoined      = 1_000 // characters of values joined in one extra field
	maxDuplicates  = 10_000
	joinMark       = " | "
	maxShared      = 200 // people behind one company's address that are compared; keeps a list of one employer's staff linear
	defaultHolding = 20_000
)

// Duplicate is a row that stands for a lead which an earlier row has brought already.
type Duplicate struct {
	Line          int
	OfLine        int
	Key           KeyKind // what they share
	Name          string  // the business (or the contact) as the row at Line writes it
	OfName        string  // and as the row at OfLine does; empty when that row has left memory
	Address       string
	ByFoldingOnly bool // the two write it differently; only case, accents, punctuation or forms of writing made them one
}

// Collector makes one lead out of the rows that stand for the same one: the first row wins, what it leaves empty is
// filled by later ones, and differing further fields are kept side by side. Leads are held until Drain gives them up;
// of drained ones it keeps about 200 bytes each, to know their duplicates, unless a Past keeps them: see Scan.
type Collector struct {
	seed   maphash.Seed
	index  map[Digest]int32   // the lead that showed a key first
	shared map[Digest][]int32 // the others with that key, which something surer tells apart
	known  map[int32]*known
	leads  int32 // so far
	held   map[int32]*growth.Lead
	erased map[int32]bool // of the held ones: all their rows stand for somebody who was erased
	order  []int32

	past    Past      // takes what leaves memory; nil: nothing does
	adopted []KeptKey // keys that the past does not know yet
	changed []int32   // leads of which it does not know what is to be known
	seen    keyFilter // the keys that it may know

	dups    []Duplicate
	rows    int
	dupRows int
	folded  int
}

// Digest is a key's: enough to tell a million leads apart, and no personal data.
type Digest [16]byte

// known is what is kept of a lead for good.
type known struct {
	line    int
	keys    [len(keyKinds)]Digest
	forms   []Digest // how rows have written it
	changed bool     // since the past was told of it
}

// NewCollector returns an empty collector.
func NewCollector() *Collector {
	c := &Collector{seed: maphash.MakeSeed(), held: map[int32]*growth.Lead{}, erased: map[int32]bool{}}
	c.forget()
	return c
}

func (c *Collector) forget() {
	c.index, c.shared, c.known = map[Digest]int32{}, map[Digest][]int32{}, map[int32]*known{}
	c.adopted, c.changed = nil, nil
}

// Add takes one row's lead. It says whether the row stands for a lead that was there before.
func (c *Collector) Add(line int, l growth.Lead) (Duplicate, bool) {
	return c.add(collected{line: line, lead: l, keys: c.digest(l)})
}

func (c *Collector) add(r collected) (Duplicate, bool) {
	c.rows++
	i, kind, found := c.find(r.keys)
	if !found {
		c.remember(r)
		return Duplicate{}, false
	}
	d := Duplicate{Line: r.line, OfLine: c.known[i].line, Key: kind, Name: displayName(r.lead), Address: r.lead.Address}
	d.ByFoldingOnly = c.newForm(i, c.form(kind, r.lead))
	c.adopt(i, r.keys)
	if h := c.held[i]; h != nil {
		d.OfName = displayName(*h)
		c.join(i, r)
	}
	c.dupRows++
	if d.ByFoldingOnly {
		c.folded++
	}
	if len(c.dups) < maxDuplicates {
		c.dups = append(c.dups, d)
	}
	return d, true
}

// join adds a row to the lead that is held for it. Who was erased gives nothing to others: their rows keep their place in
// the file's sequence, so that whoever was interrupted can count, and lose what they say as soon as another row says more.
func (c *Collector) join(i int32, r collected) {
	switch {
	case r.erased == c.erased[i]:
		merge(c.held[i], r.lead)
	case c.erased[i]:
		*c.held[i] = r.lead
		delete(c.erased, i)
	}
}

func (c *Collector) digest(l growth.Lead) (out [len(keyKinds)]Digest) {
	keys := Keys(l)
	for i, kind := range keyKinds {
		if v := keyOf(keys, kind); v != "" {
			out[i] = c.sum(string(kind), v)
		}
	}
	return out
}

func (c *Collector) sum(parts ...string) (d Digest) {
	s := strings.Join(parts, "\x00")
	binary.LittleEndian.PutUint64(d[:8], maphash.String(c.seed, s))
	binary.LittleEndian.PutUint64(d[8:], maphash.String(c.seed, s+"\x00"))
	return d
}

// find gives the lead that Same would call the same.
func (c *Collector) find(keys [len(keyKinds)]Digest) (int32, KeyKind, bool) {
	for k, key := range keys {
		if key == (Digest{}) {
			continue
		}
		first, ok := c.index[key]
		if !ok {
			continue
		}
		if c.same(keys, c.known[first].keys) {
			return first, keyKinds[k], true
		}
		for _, i := range c.shared[key] {
			if c.same(keys, c.known[i].keys) {
				return i, keyKinds[k], true
			}
		}
	}
	return 0, "", false
}

// same is Same on digests.
func (c *Collector) same(a, b [len(keyKinds)]Digest) bool {
	var ka, kb []Key
	for i, kind := range keyKinds {
		if a[i] != (Digest{}) {
			ka = append(ka, Key{Kind: kind, Value: string(a[i][:])})
		}
		if b[i] != (Digest{}) {
			kb = append(kb, Key{Kind: kind, Value: string(b[i][:])})
		}
	}
	_, ok := Same(ka, kb)
	return ok
}

func (c *Collector) remember(r collected) {
	i := c.leads
	c.leads++
	k := &known{line: r.line}
	for _, kind := range keyKinds {
		if f := c.form(kind, r.lead); f != (Digest{}) {
			k.forms = append(k.forms, f)
		}
	}
	c.known[i] = k
	c.adopt(i, r.keys)
	c.change(i)
	c.held[i] = &r.lead
	if r.erased {
		c.erased[i] = true
	}
	c.order = append(c.order, i)
}

// change notes that the past does not know all of a lead.
func (c *Collector) change(i int32) {
	if k := c.known[i]; c.past != nil && !k.changed {
		k.changed = true
		c.changed = append(c.changed, i)
	}
}

// adopt adds the keys that a lead had not shown so far.
func (c *Collector) adopt(i int32, keys [len(keyKinds)]Digest) {
	k := c.known[i]
	for n, key := range keys {
		if key == (Digest{}) || k.keys[n] != (Digest{}) {
			continue
		}
		k.keys[n] = key
		c.change(i)
		if c.enter(key, i) && c.past != nil {
			c.adopted = append(c.adopted, KeptKey{Key: key, Lead: i})
		}
	}
}

// enter says whether there was room for one more lead behind a key.
func (c *Collector) enter(key Digest, i int32) bool {
	if _, taken := c.index[key]; !taken {
		c.index[key] = i
		return true
	}
	if len(c.shared[key]) >= maxShared {
		return false
	}
	c.shared[key] = append(c.shared[key], i)
	return true
}

// form is how a row writes the fields behind a key.
func (c *Collector) form(kind KeyKind, l growth.Lead) Digest {
	name := strings.TrimSpace(displayName(l))
	var parts []string
	switch kind {
	case KeyExternalID:
		parts = []string{strings.TrimSpace(l.ExternalID)}
	case KeyEmail:
		parts = []string{strings.TrimSpace(l.Email)}
	case KeyLinkedIn:
		parts = []string{strings.TrimSpace(l.LinkedInURL)}
	case KeyWebsiteName:
		parts = []string{strings.TrimSpace(l.Website), name}
	case KeyNameAddress:
		parts = []string{strings.TrimSpace(l.Address), name}
	}
	if parts[0] == "" {
		return Digest{}
	}
	return c.sum(append([]string{string(kind)}, parts...)...)
}

const maxForms = 20 // ways of writing one lead that are told apart

// newForm notes a way of writing a lead, and says whether no row had used it before.
func (c *Collector) newForm(i int32, f Digest) bool {
	k := c.known[i]
	if slices.Contains(k.forms, f) {
		return false
	}
	if len(k.forms) < maxForms {
		k.forms = append(k.forms, f)
		c.change(i)
	}
	return true
}

func displayName(l growth.Lead) string {
	if l.BusinessName != "" {
		return l.BusinessName
	}
	return l.ContactName
}

// merge fills what into leaves empty and joins further fields that differ.
func merge(into *growth.Lead, from growth.Lead) {
	for _, f := range textFields {
		if dst := f(into); *dst == "" {
			*dst = *f(&from)
		}
	}
	if into.GoogleRating == nil {
		into.GoogleRating = from.GoogleRating
	}
	if into.GoogleReviews == nil {
		into.GoogleReviews = from.GoogleReviews
	}
	if into.Consent == nil {
		into.Consent = from.Consent
	}
	for name, value := range from.Extra {
		if joined := joinValue(into.Extra[name], value); joined != "" {
			setExtra(into, name, joined)
		}
	}
}

func joinValue(have, more string) string {
	if have == "" || more == "" {
		return have + more
	}
	for part := range strings.SplitSeq(have, joinMark) {
		if part == more {
			return have
		}
	}
	if utf8.RuneCountInString(have)+utf8.RuneCountInString(more) > maxJoined {
		return have
	}
	return have + joinMark + more
}

// Drain gives the leads held so far in the order of the file and lets go of them. Later rows for them still count as
// duplicates but add nothing to them.
func (c *Collector) Drain() []growth.Lead {
	out := make([]growth.Lead, 0, len(c.order))
	for _, i := range c.order {
		out = append(out, *c.held[i])
	}
	clear(c.held)
	clear(c.erased)
	c.order = c.order[:0]
	return out
}

// Duplicates gives the duplicate rows in the order of the file, at most 10,000 of them.
func (c *Collector) Duplicates() []Duplicate { return c.dups }

// Counts says how many rows came in, how many leads they stand for, how many rows were duplicates, and how many of
// these were joined by folding only.
func (c *Collector) Counts() (rows, leads, duplicates, folded int) {
	return c.rows, int(c.leads), c.dupRows, c.folded
}
