package simulator

import (
	"encoding/json"
	"fmt"
	"regexp"
	"sort"
	"strings"
	"sync"
)

// qualification is the task of finding, for each criterion, the level whose description the lead's own words meet.
type qualification struct {
	*rubric
	lead   []field
	french bool // the language to answer in
}

// rubric is what a system prompt asks about every lead, prepared for weighing.
type rubric struct {
	Criteria []criterion `json:"criteria"`
	ICP      string      `json:"icp"`
	icp      []string    // stems
	scales   []*scale
}

// readRubric returns nil when the prompt holds no criteria.
func readRubric(system string) *rubric {
	r := &rubric{}
	if !jsonBlock(system, r) || len(r.Criteria) == 0 {
		return nil
	}
	r.icp = stems(r.ICP)
	for _, c := range r.Criteria {
		r.scales = append(r.scales, newScale(c))
	}
	return r
}

// rubrics keeps the rubrics of the prompts in use, for a rubric is read for thousands of leads. The zero value is empty,
// a nil one keeps nothing.
type rubrics struct {
	mu   sync.Mutex
	kept map[string]*rubric
}

const (
	maxRubrics = 32
	maxPrompt  = 64 << 10 // longer prompts are read each time
)

func (k *rubrics) read(system string) *rubric {
	if k == nil || len(system) > maxPrompt {
		return readRubric(system)
	}
	k.mu.Lock()
	r, ok := k.kept[system]
	k.mu.Unlock()
	if ok {
		return r
	}
	r = readRubric(system)
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.kept == nil || len(k.kept) >= maxRubrics {
		k.kept = map[string]*rubric{}
	}
	k.kept[system] = r
	return r
}

type criterion struct {
	ID       string  `json:"criterion"`
	Axis     string  `json:"axis"`
	Question string  `json:"question"`
	Levels   []level `json:"levels"`
}

type level struct {
	ID   string `json:"level"`
	When string `json:"when"`
}

const unknownLevel = "unknown"

// field is one value of the lead, cut into clauses.
type field struct {
	path    string
	name    []string // stems of the path
	value   string
	clauses []clause
}

// clause is a part of a value that is short enough to be quoted.
type clause struct {
	words   []word
	negated bool
	money   bool // a sign of a currency stands in it
}

// finding is a level with its proof.
type finding struct {
	level, field, quote string
	weight              float64
}

// readQualification returns nil when system prompt or lead are not what a qualification needs.
func readQualification(known *rubrics, system, lead string) task {
	q := &qualification{rubric: known.read(system)}
	if q.rubric == nil {
		return nil
	}
	var values map[string]any
	if json.Unmarshal([]byte(lead), &values) != nil {
		return nil
	}
	for path, v := range values {
		if text, ok := scalarText(v); ok && text != "" {
			q.lead = append(q.lead, newField(path, text))
		}
	}
	sort.Slice(q.lead, func(i, j int) bool { return q.lead[i].path < q.lead[j].path })
	q.french = q.inFrench(system)
	return q
}

func scalarText(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case float64, bool:
		return fmt.Sprint(v), true
	}
	return "", false
}

func newField(path, value string) field {
	f := field{path: path, value: value}
	for _, w := range wordsOf(strings.NewReplacer(".", " ", "_", " ").Replace(path)) {
		f.name = append(f.name, w.stem)
	}
	words := wordsOf(marks.ReplaceAllStringFunc(value, func(m string) string { return strings.Repeat(" ", len(m)) })) // a mark says nothing
	for len(words) > 0 {
		n := 1
		for n < len(words) && !strings.ContainsAny(value[words[n-1].to:words[n].from], ".!?;,\n|•") {
			n++
		}
		end := min(len(value), words[n-1].to+2)
		f.clauses = append(f.clauses, clause{
			words: words[:n], negated: negated(words[:n]), money: strings.ContainsAny(value[words[0].from:end], "$€"),
		})
		words = words[n:]
	}
	return f
}

// perform answers every criterion and adds what a person would need for the next step.
func (q *qualification) perform() any {
	criteria := make([]any, 0, len(q.Criteria))
	var known []finding
	missing := q.missing()
	for i, c := range q.Criteria {
		f := q.judge(c, q.scales[i])
		criteria = append(criteria, map[string]any{"criterion": c.ID, "level": f.level, "quote": f.quote, "field": f.field})
		if f.level == unknownLevel {
			missing = append(missing, strings.TrimRight(orText(c.Question, c.ID), " ?"))
			continue
		}
		known = append(known, f)
	}
	return map[string]any{
		"criteria": criteria, "pain_points": q.painPoints(), "missing_information": missing[:min(len(missing), 5)],
		"recommended_approach": q.approach(known), "next_action": q.nextAction(known),
	}
}

func orText(s, otherwise string) string {
	if s != "" {
		return s
	}
	return otherwise
}

// judge weighs every level against every field and takes the heaviest; what is lighter than one common word is unknown.
func (q *qualification) judge(c criterion, scale *scale) finding {
	best := finding{level: unknownLevel}
	weight := 0.9
	for i, l := range c.Levels {
		if l.ID == unknownLevel {
			continue
		}
		f := q.weigh(scale, i)
		if f.quote != "" && f.weight > weight {
			f.level = l.ID
			best, weight = f, f.weight
		}
	}
	return best
}

func (q *qualification) weigh(s *scale, i int) finding {
	g := s.gauges[i]
	if s.aboutICP {
		return q.byProfile(g)
	}
	best := q.byWords(s, g)
	for _, sp := range g.spans {
		if f := q.byNumber(s, sp); f.weight > best.weight {
			best = f
		}
	}
	return best
}

// byWords finds the clause that shares the most words with the level's description.
func (q *qualification) byWords(s *scale, g *gauge) finding {
	var best finding
	for _, f := range q.lead {
		if g.present && contactField(f) && sharesName(f, g) && best.weight < 1 {
			best = finding{field: f.path, quote: clipMarked(f.value, 160), weight: 1}
		}
		for _, c := range f.clauses {
			weight, first, last := s.match(g, c)
			if weight == 0 {
				continue
			}
			weight += 0.3 * float64(min(overlap(f.name, s.question), 2))
			if weight > best.weight {
				best = finding{field: f.path, quote: f.phrase(c, first, last), weight: weight}
			}
		}
	}
	return best
}

func sharesName(f field, g *gauge) bool {
	for _, m := range g.words {
		if !m.denied && holds(f.name, m.stem) {
			return true
		}
	}
	return false
}

// contactField says whether having a value is in itself a fact about the lead.
func contactField(f field) bool {
	switch f.path {
	case "website", "email", "phone", "linkedin_url", "address", "city", "business_name":
		return true
	}
	return false
}

const quoteWords = 14

// phrase quotes the clause, or the part around the words from first to last when it is long. It is cut out of the
// value, so that it stands there word for word.
func (f field) phrase(c clause, first, last int) string {
	if len(c.words) > quoteWords {
		last = min(last, first+quoteWords-1)
		spare := quoteWords - (last - first + 1)
		first = max(0, first-spare/2)
		last = min(len(c.words)-1, first+quoteWords-1)
	} else {
		first, last = 0, len(c.words)-1
	}
	if len(f.clauses) == 1 && last-first+1 == len(c.words) {
		return strings.TrimSpace(f.value)
	}
	quote := f.value[c.words[first].from:c.words[last].to]
	if len(quote) < shortQuote { // "0 $" proves nothing; the whole value may
		return clipMarked(f.value, 160)
	}
	return quote
}

// marks stand for values that the model is not shown.
var marks = regexp.MustCompile(`\[[A-Z]+_\d+\]`)

// clipMarked is clip, but cuts before a mark rather than through it.
func clipMarked(value string, n int) string {
	short := clip(value, n)
	for _, m := range marks.FindAllStringIndex(value, -1) {
		if m[0] < len(short) && len(short) < m[1] {
			return strings.TrimSpace(value[:m[0]])
		}
	}
	return short
}

// shortQuote is below how many bytes a quote is too short to prove anything.
const shortQuote = 8
