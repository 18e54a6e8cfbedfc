package store

import (
	"context"

	growth "github.com/zakibelm/astrogrowth"
)

// LearnCost writes what a call has cost that ended with an unknown cost, and its tokens where none were counted. It is
// false while that end has not been written: it would write the unknown cost over this one.
func (sc Scoped) LearnCost(ctx context.Context, c growth.Call) (written bool, err error) {
	if c.Cost.USD == nil {
		return false, growth.Errorf(growth.Invalid, "store.LearnCost", "the cost is not known")
	}
	err = sc.s.db.GetContext(ctx, &written, `
		WITH learnt AS (
			UPDATE calls SET cost_usd = $3, provenance = $4, price_version = $5,
				prompt_tokens = greatest(prompt_tokens, $6), completion_tokens = greatest(completion_tokens, $7),
				cached_tokens = greatest(cached_tokens, $8), reasoning_tokens = greatest(reasoning_tokens, $9)
			WHERE id = $1 AND workspace_id = $2 AND cost_usd IS NULL AND status <> 'started'
			RETURNING id)
		SELECT EXISTS (SELECT FROM learnt)
			OR EXISTS (SELECT FROM calls WHERE id = $1 AND workspace_id = $2 AND cost_usd IS NOT NULL)`,
		c.ID, sc.ws, c.Cost.USD.String(), c.Cost.Provenance, c.Prices, c.Usage.PromptTokens, c.Usage.CompletionTokens,
		c.Usage.CachedTokens, c.Usage.ReasoningTokens)
	return written, wrap("learn cost", err)
}

// LearnCost is the store's, in the call's own workspace. The group-commit writer has nothing to gather here: what it is
// told comes seldom, and long after the call.
func (w *LedgerWriter) LearnCost(ctx context.Context, c growth.Call) (written bool, err error) {
	return w.store.In(c.Workspace).LearnCost(ctx, c)
}
