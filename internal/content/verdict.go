package content

import (
	"strings"

	growth "github.com/zakibelm/astrogrowth"
)

// Verdict is what the judge, another model than the writer, says of a post.
type Verdict struct {
	Claims   []JudgedClaim `json:"claims"`
	ToneOK   bool          `json:"tone_ok"`
	Score    int           `json:"score"` // 0 to 100
	Problems []string      `json:"problems"`
}

// JudgedClaim is one statement of the post, and whether the brief bears it out.
type JudgedClaim struct {
	Claim     string `json:"claim"`
	Supported bool   `json:"supported"`
	Evidence  string `json:"evidence"`
}

// DecodeVerdict reads the judge's answer.
func DecodeVerdict(answer string) (Verdict, error) {
	var v Verdict
	if err := decode(answer, &v); err != nil {
		return Verdict{}, err
	}
	if v.Score < 0 || v.Score > 100 {
		return Verdict{}, growth.Errorf(growth.Malformed, "content.DecodeVerdict", "the score is not from 0 to 100")
	}
	return v, nil
}

// Unsupported gives the claims that the brief does not bear out.
func (v Verdict) Unsupported() []string {
	var out []string
	for _, c := range v.Claims {
		if !c.Supported {
			out = append(out, plain(c.Claim))
		}
	}
	return out
}

// Checks gives the verdict in the form of the rules: an unsupported claim bars approval by machine, a missed tone does not.
func (v Verdict) Checks() []growth.Check {
	claims := growth.Check{Rule: RuleClaims, Hard: true, OK: true}
	if u := v.Unsupported(); len(u) > 0 {
		claims.OK, claims.Detail = false, "the brief does not bear out: "+list(u)
	}
	tone := growth.Check{Rule: RuleTone, OK: v.ToneOK}
	if !v.ToneOK {
		tone.Detail = "the tone is not the one asked for"
	}
	if len(v.Problems) > 0 && !tone.OK {
		tone.Detail += ": " + strings.TrimSpace(list(v.Problems))
	}
	return []growth.Check{claims, tone}
}
