package store

import (
	"encoding/json"
	"time"

	growth "github.com/zakibelm/astrogrowth"
)

// MaxSecrets is how many secrets of one source, subscription or workspace can be valid at once.
const MaxSecrets = 5

// formerSecret is one in whose place another came, and which is valid for a while yet.
type formerSecret struct {
	Secret []byte    `json:"secret"`
	Until  time.Time `json:"until"`
}

// formerSecrets reads those that are valid still, newest first.
func formerSecrets(raw []byte) ([]formerSecret, error) {
	var all, valid []formerSecret
	if err := json.Unmarshal(raw, &all); err != nil {
		return nil, wrap("read secrets", err)
	}
	for _, f := range all {
		if f.Until.After(time.Now()) {
			valid = append(valid, f)
		}
	}
	return valid, nil
}

// replaced puts a secret that was replaced in front of those that are valid still. A rotation without a grace ends them
// all; one with a grace cuts nobody off to whom an earlier one gave longer.
func replaced(raw, secret []byte, until time.Time) ([]byte, error) {
	all := []formerSecret{}
	if until.After(time.Now()) {
		valid, err := formerSecrets(raw)
		if err != nil {
			return nil, err
		}
		if all = append(append(all, formerSecret{secret, until.UTC()}), valid...); len(all) >= MaxSecrets {
			return nil, tooManySecrets(all[len(all)-1].Until)
		}
	}
	b, err := json.Marshal(all) //nolint:gosec // sealed secrets, for their own column
	return b, wrap("replace secret", err)
}

func tooManySecrets(until time.Time) error {
	return growth.Errorf(growth.Conflict, "store.rotate", "%d secrets are valid already; wait until %s, when the oldest ends, or send grace_s 0, which ends all but the new one",
		MaxSecrets, until.UTC().Format(time.RFC3339))
}
