package growth

import (
	"github.com/shopspring/decimal"
)

// Provenance says where an amount of money came from.
type Provenance string

// The provenances of a cost. CostUnknown goes with a nil amount, never with zero.
const (
	CostReported Provenance = "reported" // the provider said so
	CostPriced   Provenance = "priced"   // tokens times a price list
	CostSettled  Provenance = "settled"  // a person said so
	CostUnknown  Provenance = "unknown"  // nobody can say yet
)

// Money is an exact amount in a currency, or an amount that nobody knows (Amount nil, Provenance CostUnknown).
type Money struct {
	Amount     *decimal.Decimal `json:"amount"`   // decimal string; null when unknown
	Currency   string           `json:"currency"` // ISO 4217
	USD        *decimal.Decimal `json:"usd"`      // the same in US dollars, as the ledger keeps it; null when unknown
	Provenance Provenance       `json:"provenance"`
}

// UnknownMoney is a cost that nobody reported and no price covers.
func UnknownMoney(currency string) Money { return Money{Currency: currency, Provenance: CostUnknown} }

// USD returns an exact amount of US dollars.
func USD(d decimal.Decimal, p Provenance) Money {
	return Money{Amount: &d, Currency: "USD", USD: &d, Provenance: p}
}

// In shows m in another currency at rate (units of that currency for one US dollar). The USD amount stays as it is.
func (m Money) In(currency string, rate decimal.Decimal) Money {
	if m.USD == nil {
		return UnknownMoney(currency)
	}
	a := m.USD.Mul(rate).Round(12)
	return Money{Amount: &a, Currency: currency, USD: m.USD, Provenance: m.Provenance}
}

// Add sums two costs in US dollars. A sum with an unknown part is unknown: it must not look smaller than it is.
// A sum is "reported" only when both parts are.
func (m Money) Add(o Money) Money {
	if m.USD == nil || o.USD == nil {
		return UnknownMoney("USD")
	}
	p := CostReported
	if m.Provenance != CostReported || o.Provenance != CostReported {
		p = CostPriced
	}
	return USD(m.USD.Add(*o.USD), p)
}
