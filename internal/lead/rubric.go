package lead

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"

	growth "github.com/zakibelm/astrogrowth"
)

// Axis is one of the two directions in which a lead is scored.
type Axis string

// The axes: how well the lead fits what is sold, and how near it is to buying.
const (
	Fit    Axis = "fit"
	Intent Axis = "intent"
)

// Unknown is the level of a criterion about which the lead says nothing. It earns no points and needs no quote.
const Unknown = "unknown"

// DefaultRubric is the rubric of workspaces that have chosen none.
const DefaultRubric = "local-business"

// Text is a sentence in the product's two languages.
type Text struct {
	EN string `yaml:"en"`
	FR string `yaml:"fr"`
}

// In gives the sentence in a language (BCP 47): French for "fr…", else English.
func (t Text) In(language string) string {
	if strings.HasPrefix(strings.ToLower(language), "fr") {
		return t.FR
	}
	return t.EN
}

// Rubric says what is asked of a lead and what each answer is worth. Make one with Load or Parse.
type Rubric struct {
	Name     string      `yaml:"name"`
	Version  string      `yaml:"version"`
	Title    Text        `yaml:"title"`
	Fields   []string    `yaml:"fields"` // what the model may see, beside placeholders; "extra.*" for every further field
	Gates    []Gate      `yaml:"gates"`
	Criteria []Criterion `yaml:"criteria"`
	Formula  Formula     `yaml:"formula"`
	Grade    Thresholds  `yaml:"grade"`    // 1 and A from First, 2 and B from Second, else 3 and C
	Priority Thresholds  `yaml:"priority"` // high from First, medium from Second, else low

	language string
	digest   string
}

// Gate is a test that puts a lead out of the question, whatever else it says.
type Gate struct {
	ID     string `yaml:"id"`
	Rule   Rule   `yaml:"rule"`
	Reason Text   `yaml:"reason"`
}

// Criterion is one question about a lead with a closed list of answers.
type Criterion struct {
	ID       string  `yaml:"id"`
	Axis     Axis    `yaml:"axis"`
	Question Text    `yaml:"question"`
	Levels   []Level `yaml:"levels"` // tried in this order by the rules
}

// Level is one answer to a criterion's question.
type Level struct {
	Level  string  `yaml:"level"`
	Points float64 `yaml:"points"`
	When   string  `yaml:"when"`  // the words by which a reader knows it
	Rules  []Rule  `yaml:"rules"` // any of them finds it without a model
}

// Formula is the weight of each axis in the score; together they make 1.
type Formula struct {
	Fit    float64 `yaml:"fit"`
	Intent float64 `yaml:"intent"`
}

// Thresholds part 0 to 100 in three.
type Thresholds struct {
	First  int `yaml:"first"`
	Second int `yaml:"second"`
}

//go:embed rubrics/*.yaml
var builtIn embed.FS

// Names lists the rubrics that are built in.
func Names() []string { return []string{"b2b", DefaultRubric} }

// Load gives a built-in rubric by its name or its ID; an empty name means DefaultRubric.
func Load(name string) (Rubric, error) {
	base, _, versioned := strings.Cut(name, "@")
	if name == "" {
		base = DefaultRubric
	}
	if !slices.Contains(Names(), base) {
		return Rubric{}, growth.InvalidField("lead.Load", "rubric", "%q is no rubric; there are %s", name, strings.Join(Names(), ", "))
	}
	src, err := builtIn.ReadFile("rubrics/" + base + ".yaml")
	if err != nil {
		return Rubric{}, growth.Errorf(growth.Internal, "lead.Load", "the built-in rubric %s is missing", base)
	}
	r, err := Parse(src)
	if err != nil {
		return Rubric{}, err
	}
	if versioned && r.ID() != name {
		return Rubric{}, growth.InvalidField("lead.Load", "rubric", "%q is not built in any more; the present version is %s", name, r.ID())
	}
	return r, nil
}

// ID is the rubric's name and version, "name@version".
func (r Rubric) ID() string { return r.Name + "@" + r.Version }

// In gives the rubric with the language (BCP 47) in which its questions and sentences are put; the default is French.
func (r Rubric) In(language string) Rubric {
	r.language = language
	return r
}

// Language is the language of the rubric's sentences.
func (r Rubric) Language() string {
	if r.language == "" {
		return "fr-CA"
	}
	return r.language
}

// Max is the most points that the criterion can earn.
func (c Criterion) Max() float64 {
	most := 0.0
	for _, l := range c.Levels {
		most = max(most, l.Points)
	}
	return most
}

func (c Criterion) level(name string) (Level, bool) {
	i := slices.IndexFunc(c.Levels, func(l Level) bool { return l.Level == name })
	if i < 0 {
		return Level{}, false
	}
	return c.Levels[i], true
}

func (r Rubric) criterion(id string) (Criterion, bool) {
	i := slices.IndexFunc(r.Criteria, func(c Criterion) bool { return c.ID == id })
	if i < 0 {
		return Criterion{}, false
	}
	return r.Criteria[i], true
}

// Gates gives the reasons that put the lead out of the question, none for most leads. Such a lead needs no model.
func Gates(r Rubric, l growth.Lead) []string {
	view, _ := View(r, l)
	return r.gates(view)
}

func (r Rubric) gates(view map[string]string) []string {
	var out []string
	for _, g := range r.Gates {
		if quote, _, ok := g.Rule.find(view); ok {
			out = append(out, g.Reason.In(r.Language())+" ("+shorten(quote, 60)+")")
		}
	}
	return out
}

// Questions is what the model is asked about a lead: the criteria with their closed lists of levels, and the ideal
// customer profile. Points are not in it: the model must not weigh.
func Questions(r Rubric, icp string) json.RawMessage {
	type level struct {
		Level string `json:"level"`
		When  string `json:"when"`
	}
	type criterion struct {
		Criterion string  `json:"criterion"`
		Axis      Axis    `json:"axis"`
		Question  string  `json:"question"`
		Levels    []level `json:"levels"`
	}
	all := make([]criterion, 0, len(r.Criteria))
	for _, c := range r.Criteria {
		q := criterion{Criterion: c.ID, Axis: c.Axis, Question: c.Question.In(r.Language())}
		for _, l := range c.Levels {
			q.Levels = append(q.Levels, level{l.Level, l.When})
		}
		q.Levels = append(q.Levels, level{Unknown, "the lead does not say"})
		all = append(all, q)
	}
	return mustJSON(map[string]any{"criteria": all, "icp": icp})
}

// mustJSON encodes what is made of strings, numbers and lists only, and so cannot fail.
func mustJSON(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

func digestOf(src []byte) string {
	sum := sha256.Sum256(src)
	return hex.EncodeToString(sum[:])
}
