package providers

import (
	"errors"
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

// Tier is what a provider said of an account's free tier when it refused a call for that tier's sake, and not because
// the model's host was busy.
type Tier struct {
	Limit int // calls that the window allows; 0: not said
}

// TierOf finds what a refusal says of the free tier; ok is false when it has another reason.
func TierOf(err error) (t Tier, ok bool) {
	if said, found := errors.AsType[*saying](err); found && said.tier != nil {
		return *said.tier, true
	}
	return Tier{}, false
}

var freeTier = regexp.MustCompile(`(?i)free-models-per-(min|day)`)

func tierOf(f fault, h http.Header) *Tier {
	if !freeTier.MatchString(f.text) {
		return nil
	}
	for _, said := range []string{h.Get("X-Ratelimit-Limit"), f.headers.Get("X-Ratelimit-Limit")} {
		if n, err := strconv.Atoi(strings.TrimSpace(said)); err == nil && n > 0 {
			return &Tier{Limit: n}
		}
	}
	return &Tier{}
}
