package providers

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"

	"github.com/shopspring/decimal"
)

// word is a JSON value that is a string with one host and a number with another. Anything else reads as empty.
type word string

// UnmarshalJSON accepts a string or a number and never fails.
func (w *word) UnmarshalJSON(b []byte) error {
	var s string
	if json.Unmarshal(b, &s) == nil {
		*w = word(s)
		return nil
	}
	if len(b) > 0 && (b[0] == '-' || (b[0] >= '0' && b[0] <= '9')) {
		*w = word(b)
	}
	return nil
}

// number is a JSON number, or one in quotes. known tells a zero from nothing.
type number struct {
	value float64
	known bool
}

// UnmarshalJSON accepts a number or a number in quotes and never fails.
func (n *number) UnmarshalJSON(b []byte) error {
	v, err := strconv.ParseFloat(strings.Trim(string(b), `"`), 64)
	if err == nil && !math.IsNaN(v) && !math.IsInf(v, 0) {
		*n = number{value: v, known: true}
	}
	return nil
}

// count is the number as a count of things: never negative, never so large that sums overflow.
func (n number) count() int { return int(min(max(n.value, 0), 1<<40)) }

// amount reads an exact, non-negative decimal from a JSON number or string, nil when there is none. Exponents that no
// price has are turned down, because arithmetic on them would take memory without bound.
func amount(raw json.RawMessage) *decimal.Decimal {
	text := strings.Trim(string(bytes.TrimSpace(raw)), `"`)
	if text == "" || len(text) > 48 {
		return nil
	}
	d, err := decimal.NewFromString(text)
	if err != nil || d.IsNegative() || d.Exponent() < -40 || d.Exponent() > 12 {
		return nil
	}
	return &d
}
