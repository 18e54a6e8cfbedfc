package lead

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"

	growth "github.com/zakibelm/astrogrowth"
)

// Past keeps what is to be known of leads that have left memory, for as long as one reading of a file lasts.
type Past interface {
	// Keep takes leads, some of which it may have in an earlier state, and keys under which they can be asked for from now on.
	Keep(ctx context.Context, leads []KeptLead, keys []KeptKey) error
	// Recall gives the leads behind any of the keys, and which key led to which lead, in the order in which they were kept.
	Recall(ctx context.Context, keys []Digest) ([]KeptLead, []KeptKey, error)
}

// KeptLead is what is to be known of a lead. There are no personal data in it.
type KeptLead struct {
	Number int32
	Data   []byte
	Fresh  bool // it was not kept before
}

// KeptKey says that a lead has shown a key.
type KeptKey struct {
	Key  Digest
	Lead int32
}

// collected is a row on its way into a collector.
type collected struct {
	line   int
	lead   growth.Lead
	keys   [len(keyKinds)]Digest
	erased bool // it stands for somebody who was erased
}

// settle takes a block of rows, gives up their leads, and leaves what is to be known of them to the past, unless no row
// follows.
func (c *Collector) settle(ctx context.Context, rows []collected, last bool) ([]growth.Lead, error) {
	if err := c.recall(ctx, rows); err != nil {
		return nil, err
	}
	fresh := c.leads
	for _, r := range rows {
		c.add(r)
	}
	if last {
		c.adopted, c.changed = nil, nil
		return c.Drain(), nil
	}
	return c.Drain(), c.keep(ctx, fresh)
}

// recall brings back what the past knows of the leads that these rows may stand for.
func (c *Collector) recall(ctx context.Context, rows []collected) error {
	if c.past == nil || c.leads == 0 {
		return nil
	}
	asked := map[Digest]bool{}
	var keys []Digest
	for i := range rows {
		for _, key := range rows[i].keys {
			if key != (Digest{}) && c.seen.mayHold(key) && !asked[key] {
				asked[key] = true
				keys = append(keys, key)
			}
		}
	}
	if len(keys) == 0 {
		return nil
	}
	leads, found, err := c.past.Recall(ctx, keys)
	if err != nil {
		return err
	}
	for _, l := range leads {
		if c.known[l.Number], err = readKnown(l.Data); err != nil {
			return err
		}
	}
	for _, k := range found {
		if c.known[k.Lead] == nil {
			return growth.Errorf(growth.Internal, "lead.recall", "a key leads to a lead that is not there")
		}
		c.enter(k.Key, k.Lead)
	}
	return nil
}

// keep leaves to the past what it does not know yet, and forgets everything. Leads from the number fresh on are new to it.
func (c *Collector) keep(ctx context.Context, fresh int32) error {
	if c.past == nil {
		return nil
	}
	leads := make([]KeptLead, len(c.changed))
	for n, i := range c.changed {
		leads[n] = KeptLead{Number: i, Data: c.known[i].bytes(), Fresh: i >= fresh}
	}
	for _, k := range c.adopted {
		c.seen.add(k.Key)
	}
	err := c.past.Keep(ctx, leads, c.adopted)
	c.forget()
	return err
}

func (k *known) bytes() []byte {
	out := binary.AppendUvarint(make([]byte, 0, 16+len(keyKinds)*17+16*len(k.forms)), uint64(k.line)) //nolint:gosec // G115: lines count from 1
	for _, d := range k.keys {
		if d == (Digest{}) {
			out = append(out, 0)
			continue
		}
		out = append(append(out, 1), d[:]...)
	}
	for _, d := range k.forms {
		out = append(out, d[:]...)
	}
	return out
}

var errKept = errors.New("what was kept of a lead cannot be read")

func readKnown(b []byte) (*known, error) {
	line, n := binary.Uvarint(b)
	if n <= 0 {
		return nil, errKept
	}
	k, b := &known{line: int(line)}, b[n:] //nolint:gosec // G115: it was an int
	for i := range k.keys {
		if len(b) == 0 || b[0] == 1 && len(b) < 17 {
			return nil, errKept
		}
		if b[0] == 1 {
			copy(k.keys[i][:], b[1:])
			b = b[16:]
		}
		b = b[1:]
	}
	if len(b)%16 != 0 {
		return nil, errKept
	}
	for d := range slices.Chunk(b, 16) {
		k.forms = append(k.forms, Digest(d))
	}
	return k, nil
}

// filterBits is how many bits tell a key that was never seen from one that may have been: with three million keys one in
// four hundred is asked for in vain.
const filterBits = 1 << 26

// keyFilter is a Bloom filter. It has one size, however many keys it holds.
type keyFilter struct{ bits []uint64 }

func (f *keyFilter) places(d Digest) [4]uint32 {
	var out [4]uint32
	for i := range out {
		out[i] = binary.LittleEndian.Uint32(d[4*i:]) % filterBits
	}
	return out
}

func (f *keyFilter) add(d Digest) {
	if f.bits == nil {
		f.bits = make([]uint64, filterBits/64)
	}
	for _, p := range f.places(d) {
		f.bits[p/64] |= 1 << (p % 64)
	}
}

func (f *keyFilter) mayHold(d Digest) bool {
	if f.bits == nil {
		return false
	}
	for _, p := range f.places(d) {
		if f.bits[p/64]&(1<<(p%64)) == 0 {
			return false
		}
	}
	return true
}
