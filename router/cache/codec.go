package cache

import (
	"encoding/binary"
	"time"

	"github.com/shopspring/decimal"

	growth "github.com/zakibelm/astrogrowth"
)

// A value begins with a byte that says how it is written. Another byte is another version's value, and a miss.
const (
	plain      = '1'
	compressed = '2' // the same, through zstd

	compressAbove = 4 << 10 // bytes; of smaller values the unpacking takes as long as Redis does
)

// encode writes the fields in their order, without names: the reading of an entry stands between a caller and an answer
// that is there already. Texts come with their lengths, numbers as varints.
func (c *Cache) encode(e Entry) []byte {
	b := make([]byte, 1, len(e.Text)+256)
	b[0] = plain
	b = append(b, e.Exact[:]...)
	b = binary.AppendVarint(b, e.until.UnixMilli())
	b = binary.AppendVarint(b, e.At.UnixMilli())
	for _, n := range []int{
		e.Usage.PromptTokens, e.Usage.CompletionTokens, e.Usage.TotalTokens, e.Usage.CachedTokens, e.Usage.ReasoningTokens, e.Fallbacks, flag(e.Simulated),
	} {
		b = binary.AppendVarint(b, int64(n))
	}
	cost := "" // unknown
	if e.Cost.USD != nil {
		cost = e.Cost.USD.String()
	}
	for _, s := range []string{cost, string(e.Cost.Provenance), e.Provider, e.Model, e.FinishReason, string(e.Call), e.Text} {
		b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
	}
	if len(b) < compressAbove {
		return b
	}
	return c.enc.EncodeAll(b[1:], []byte{compressed})
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (c *Cache) decode(value string) (Entry, bool) {
	if len(value) < 2 {
		return Entry{}, false
	}
	switch value[0] {
	case plain:
		return decodePlain(value[1:])
	case compressed:
		b, err := c.dec.DecodeAll([]byte(value[1:]), make([]byte, 0, 4*len(value)))
		if err != nil {
			return Entry{}, false
		}
		return decodePlain(string(b))
	}
	return Entry{}, false
}

func decodePlain(value string) (Entry, bool) {
	var e Entry
	r := reader{rest: value}
	copy(e.Exact[:], r.take(uint64(len(e.Exact))))
	e.until, e.At = time.UnixMilli(r.number()), time.UnixMilli(r.number()).UTC()
	e.Usage = growth.Usage{
		PromptTokens: int(r.number()), CompletionTokens: int(r.number()), TotalTokens: int(r.number()), CachedTokens: int(r.number()),
		ReasoningTokens: int(r.number()),
	}
	e.Fallbacks, e.Simulated = int(r.number()), r.number() != 0
	cost, provenance := r.text(), growth.Provenance(r.text())
	e.Provider, e.Model, e.FinishReason, e.Call, e.Text = r.text(), r.text(), r.text(), growth.CallID(r.text()), r.text()
	e.Cost = growth.UnknownMoney("USD")
	if cost != "" {
		d, err := decimal.NewFromString(cost)
		if err != nil {
			return Entry{}, false
		}
		e.Cost = growth.USD(d, provenance)
	}
	return e, !r.broken && r.rest == ""
}

// reader takes fields off the front of a value. After a field that is not there, broken is set and all others are empty.
type reader struct {
	rest   string
	broken bool
}

func (r *reader) take(n uint64) string {
	if r.broken || n > uint64(len(r.rest)) {
		r.broken = true
		return ""
	}
	s := r.rest[:n]
	r.rest = r.rest[n:]
	return s
}

func (r *reader) uvarint() uint64 {
	var x uint64
	for i := range binary.MaxVarintLen64 {
		b := r.take(1)
		if b == "" {
			return 0
		}
		x |= uint64(b[0]&0x7f) << (7 * i)
		if b[0] < 0x80 {
			return x
		}
	}
	r.broken = true
	return 0
}

func (r *reader) number() int64 {
	u := r.uvarint()
	n := int64(u >> 1)
	if u&1 != 0 {
		n = ^n
	}
	return n
}

func (r *reader) text() string { return r.take(r.uvarint()) }
