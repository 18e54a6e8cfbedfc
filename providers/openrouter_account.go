package providers

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/shopspring/decimal"
)

// Account is what OpenRouter says of the account behind a key.
type Account struct {
	FreeTier  bool             // it has never bought credits, so its free models have fewer calls a day
	Remaining *decimal.Decimal // US dollars that the key may still spend; nil: it has no cap
}

// Account asks OpenRouter about the key in use. It costs nothing and counts against no limit.
func (o *OpenRouter) Account(ctx context.Context) (Account, error) {
	const op = "openrouter.Account"
	if !o.Configured() {
		return Account{}, notConfigured(op)
	}
	r, err := o.wire.send(ctx, message{method: http.MethodGet, path: "/key", limit: maxAnswer})
	if err == nil && !r.ok() {
		err = statusFault(r, o.wire.now())
	}
	if err != nil {
		return Account{}, o.wire.seal(op, err, nil)
	}
	var in struct {
		Data *struct {
			FreeTier  *bool           `json:"is_free_tier"`
			Remaining json.RawMessage `json:"limit_remaining"`
		} `json:"data"`
	}
	if json.Unmarshal(r.body, &in) != nil || in.Data == nil || in.Data.FreeTier == nil {
		return Account{}, o.wire.seal(op, broken.fault("the description of the key is not readable"), nil)
	}
	return Account{FreeTier: *in.Data.FreeTier, Remaining: amount(in.Data.Remaining)}, nil
}
