package providers

import (
	"encoding/json"
	"time"
)

// Model is an entry of a provider's live catalogue.
type Model struct {
	ID            string    // the slug to ask for
	Canonical     string    // the dated slug by which answers may name it; empty: unknown
	ContextLength int       // tokens; 0: unknown
	Price         Price     // only when PriceKnown
	PriceKnown    bool      // false: the price is unknown, not zero
	Expires       time.Time // when the provider means to remove it; zero: not announced
	Structured    bool      // the provider says that it enforces a schema
}

// idOnly reads an entry of which nothing but the id is sure.
func (c *Compatible) idOnly(entry json.RawMessage) []Model {
	var m struct {
		ID word `json:"id"`
	}
	if json.Unmarshal(entry, &m) != nil || m.ID == "" {
		return nil
	}
	return []Model{{ID: string(m.ID), Structured: c.cfg.Structured}}
}
