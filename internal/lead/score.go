package lead

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	growth "github.com/zakibelm/astrogrowth"
)

// The flags of a qualification. None of them changes a score.
const (
	FlagInstructions = "untrusted_instructions" // the lead's text speaks to the model
	FlagHidden       = "hidden_text"            // the lead holds characters that serve to hide text
	FlagUnverified   = "unverified_quote"       // the reader claimed what the lead does not say
	FlagGated        = "disqualified"           // a gate holds; nothing was added up
)

// What is kept of a model's own sentences.
const (
	maxSentence = 400
	maxPoints   = 5
	maxMissing  = 10
)

// Score adds up the points of an extraction. A level whose quote does not stand in the lead earns none. Nothing that the
// model says beyond levels and quotes moves the numbers; its next action counts only among those that the score allows.
// A lead that a gate puts out of the question scores 0 whatever was extracted.
func Score(r Rubric, l growth.Lead, e Extraction, by growth.ScoredBy) growth.Qualification {
	view, secrets := View(r, l)
	q := growth.Qualification{
		LeadID: l.ID, Rubric: r.ID(), ScoredBy: by,
		Reasons: []growth.Reason{}, Disqualifiers: []string{}, MissingInformation: []string{}, PainPoints: []string{}, Flags: []string{},
	}
	q.Flags = append(q.Flags, Suspicions(l)...)
	if gates := r.gates(view); len(gates) > 0 {
		q.Disqualifiers = gates
		q.Flags = append(q.Flags, FlagGated)
		q.Grade, q.Priority, q.NextAction = r.grade(0, 0), r.priority(0), ActionDisqualify
		return q
	}
	proof := view
	if slices.Contains(q.Flags, FlagInstructions) {
		proof = provable(view)
	}
	q.Reasons = r.reasons(e, view, proof, secrets)
	q.Fit, q.Intent, q.Confidence = r.sum(q.Reasons)
	q.Score = r.weighed(q.Fit, q.Intent)
	q.Grade, q.Priority = r.grade(q.Fit, q.Intent), r.priority(q.Score)
	if slices.ContainsFunc(q.Reasons, func(x growth.Reason) bool { return !x.Verified && x.Level != Unknown }) {
		q.Flags = append(q.Flags, FlagUnverified)
	}
	q.MissingInformation = r.missing(q.Reasons, e, secrets)
	q.PainPoints = sentences(e.PainPoints, maxPoints, secrets)
	q.NextAction = nextAction(q, l, e.NextAction)
	q.RecommendedApproach = sentence(e.RecommendedApproach, secrets)
	if q.RecommendedApproach == "" {
		q.RecommendedApproach = approach[q.NextAction].In(r.Language())
	}
	return q
}

// reasons gives one for each criterion in the rubric's order, whatever the extraction left out or added.
// A quote has to stand in the view, and again in what of the view proves anything.
func (r Rubric) reasons(e Extraction, view, proof map[string]string, secrets Secrets) []growth.Reason {
	out := make([]growth.Reason, 0, len(r.Criteria))
	for _, c := range r.Criteria {
		reason := growth.Reason{Criterion: c.ID, Axis: string(c.Axis), Level: Unknown, MaxPoints: c.Max()}
		i := slices.IndexFunc(e.Criteria, func(f Finding) bool { return f.Criterion == c.ID })
		if i >= 0 {
			f := e.Criteria[i]
			if level, ok := c.level(f.Level); ok {
				reason.Level = level.Level
				if c.admits(f) && quoteFault(f, view) == "" && quoteFault(f, proof) == "" {
					level = c.proven(level, f, proof)
					reason.Level, reason.Points, reason.Verified = level.Level, level.Points, true
					reason.Quote, reason.Field = shown(f.Quote, secrets), f.Field
				}
			}
		}
		out = append(out, reason)
	}
	return out
}

func (r Rubric) sum(reasons []growth.Reason) (fit, intent int, confidence float64) {
	points, most := map[string]float64{}, map[string]float64{}
	proven, all := 0.0, 0.0
	for _, x := range reasons {
		points[x.Axis] += x.Points
		most[x.Axis] += x.MaxPoints
		all += x.MaxPoints
		if x.Verified {
			proven += x.MaxPoints
		}
	}
	share := func(a Axis) int {
		if most[string(a)] == 0 {
			return 0
		}
		return int(math.Round(100 * points[string(a)] / most[string(a)]))
	}
	if all > 0 {
		confidence = math.Round(100*proven/all) / 100
	}
	return share(Fit), share(Intent), confidence
}

func (r Rubric) weighed(fit, intent int) int {
	return int(math.Round(r.Formula.Fit*float64(fit) + r.Formula.Intent*float64(intent)))
}

func (r Rubric) grade(fit, intent int) string {
	step := func(n int) int {
		switch {
		case n >= r.Grade.First:
			return 0
		case n >= r.Grade.Second:
			return 1
		}
		return 2
	}
	return string("ABC"[step(fit)]) + strconv.Itoa(1+step(intent))
}

func (r Rubric) priority(score int) string {
	switch {
	case score >= r.Priority.First:
		return "high"
	case score >= r.Priority.Second:
		return "medium"
	}
	return "low"
}

// missing asks the question of every criterion that stayed open, then adds what the model misses.
func (r Rubric) missing(reasons []growth.Reason, e Extraction, secrets Secrets) []string {
	out := []string{}
	for i, x := range reasons {
		if !x.Verified {
			out = append(out, r.Criteria[i].Question.In(r.Language()))
		}
	}
	for _, s := range sentences(e.MissingInformation, maxMissing, secrets) {
		if len(out) < maxMissing && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// allowed lists the actions that a priority allows; the first is the default.
var allowed = map[string][]string{
	"high":   {ActionCall, ActionEmail, ActionResearch, ActionReview},
	"medium": {ActionEmail, ActionCall, ActionNurture, ActionResearch, ActionReview},
	"low":    {ActionNurture, ActionResearch, ActionReview},
}

const littleProof = 0.35 // below this share of proven points nothing is known well enough to act on

func nextAction(q growth.Qualification, l growth.Lead, wish string) string {
	if slices.Contains(q.Flags, FlagInstructions) || slices.Contains(q.Flags, FlagHidden) {
		return ActionReview
	}
	can := allowed[q.Priority]
	action := can[0]
	switch {
	case q.ScoredBy != growth.ScoredByRules && slices.Contains(can, wish):
		action = wish
	case q.Confidence < littleProof:
		action = ActionResearch
	}
	return reachable(l, action, q.Priority)
}

var approach = map[string]Text{
	ActionCall:     {EN: "Call soon and open with what the lead has asked for.", FR: "Appeler sans tarder et ouvrir avec ce que le prospect a demandé."},
	ActionEmail:    {EN: "Write a short personal e-mail with one question.", FR: "Écrire un courriel court et personnel, avec une seule question."},
	ActionNurture:  {EN: "Keep in touch with useful content; no sales call yet.", FR: "Garder le contact par du contenu utile; pas encore d'appel de vente."},
	ActionResearch: {EN: "Find out what is missing before getting in touch.", FR: "Trouver ce qui manque avant de prendre contact."},
	ActionReview:   {EN: "A person should read this lead before anything is done.", FR: "Une personne devrait lire ce prospect avant toute démarche."},
}

var (
	anyURL   = regexp.MustCompile(`(?i)(?:https?://|www\.|ftp://|javascript:|data:)\S+|\b(?:[a-z0-9-]+\.)+[a-z]{2,}/\S*`)
	anyImage = regexp.MustCompile(`!?\[([^\]]*)\]\([^)]*\)`)
	anyTag   = regexp.MustCompile(`<[^>]{0,200}>`)
)

// sentence makes a model's sentence safe to show: no address, picture or markup out of a lead's text, and not too long.
// The private values are put back first, for they are a lead's text too. A sentence that repeats an order to a model is
// dropped: it says nothing about the lead.
func sentence(s string, secrets Secrets) string {
	s = Visible(capText(secrets.Restore(capText(s, 4*maxSentence)), 8*maxSentence))
	if speaksToModel(s) {
		return ""
	}
	s = anyImage.ReplaceAllString(s, "$1")
	s = anyTag.ReplaceAllString(s, "")
	s = anyURL.ReplaceAllString(s, "")
	s = capText(strings.Join(strings.Fields(s), " "), maxSentence)
	if speaksToModel(s) { // the markup parted its words
		return ""
	}
	return s
}

// shown is a quote as people see it: with the private values, unless they hold an address or an order, and without any
// other address.
func shown(quote string, secrets Secrets) string {
	if full := secrets.Restore(quote); !anyURL.MatchString(full) && !speaksToModel(full) {
		return full
	}
	return strings.TrimSpace(anyURL.ReplaceAllString(quote, "[…]"))
}

func sentences(in []string, most int, secrets Secrets) []string {
	out := []string{}
	for _, s := range in {
		if s = sentence(s, secrets); s != "" && !slices.Contains(out, s) && len(out) < most {
			out = append(out, s)
		}
	}
	return out
}
