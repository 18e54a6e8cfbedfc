package api_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	growth "github.com/zakibelm/astrogrowth"
)

// wild makes requests out of the description: valid ones, ones with one thing wrong, and ones that are nonsense.
type wild struct {
	*rand.Rand

	ids map[string][]string // what there is, by the path that names it
}

// ask is one request.
type ask struct {
	route   route
	path    string
	body    string
	headers []string
	how     string
}

func (a ask) String() string {
	return fmt.Sprintf("%s %s %s %q %.2000s", a.how, a.route.method, a.path, a.headers, a.body)
}

func (w *wild) chance(p float64) bool { return w.Float64() < p }

func pick[T any](w *wild, of ...T) T { return of[w.IntN(len(of))] }

// request makes a request of a route.
func (w *wild) request(r route) ask {
	a := ask{route: r, path: r.path, how: pick(w, "valid", "valid", "one fault", "one fault", "nonsense")}
	for _, p := range r.op.Parameters {
		v := p.Value
		switch v.In {
		case "path":
			a.path = strings.Replace(a.path, "{"+v.Name+"}", url.PathEscape(w.id(r, a.how)), 1)
		case "header":
			if w.chance(0.3) {
				a.headers = append(a.headers, v.Name, headerSafe(fmt.Sprint(w.param(v.Schema.Value, v.Name, a.how))))
			}
		}
	}
	if q := w.query(r, a.how); q != "" {
		a.path += "?" + q
	}
	if w.chance(0.03) {
		a.headers = append(a.headers, "X-Workspace", pick(w, "default", "nowhere", "' OR 1=1"))
	}
	if r.op.RequestBody != nil {
		a.body = w.body(r, a.how)
	}
	if r.op.RequestBody != nil && w.chance(0.02) {
		a.headers = append(a.headers, "Content-Type", pick(w, "text/plain", "application/xml", "application/json; charset=latin1", "x"))
	}
	return a
}

func headerSafe(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, s)
}

func (w *wild) id(r route, how string) string {
	known := w.ids[r.thing()]
	if how == "valid" && len(known) > 0 && w.chance(0.8) {
		return pick(w, known...)
	}
	return pick(w, growth.NewID(), growth.NewID(), "x", "0", "\x00", "%", strings.Repeat("a", 300), "é😀", "' OR 1=1 --", "ours", "openrouter", "content", "..%2f..")
}

func (w *wild) query(r route, how string) string {
	q := url.Values{}
	for _, p := range r.op.Parameters {
		if v := p.Value; v.In == "query" && (v.Required || w.chance(0.3)) {
			if v.Name == "wait" { // nobody has the time
				q.Set("wait", pick(w, "0s", "1ms", "0", "-1s", "61s", "soon"))
				continue
			}
			q.Set(v.Name, fmt.Sprint(w.param(v.Schema.Value, v.Name, how)))
		}
	}
	if how == "nonsense" && w.chance(0.1) {
		q.Set("no_such", "1")
	}
	return q.Encode()
}

// param is a value of a parameter: one word, whatever its type.
func (w *wild) param(s *openapi3.Schema, name, how string) any {
	if how != "valid" && w.chance(0.3) {
		return w.junk()
	}
	v := w.value(s, name, 3)
	if list, ok := v.([]any); ok {
		if len(list) == 0 {
			return ""
		}
		return list[0]
	}
	return v
}

func (w *wild) junk() any {
	return pick[any](w, nil, true, -1, 0, 1e18, 1.5, "", " ", "x", "\x00", "null", "é😀\u202e", strings.Repeat("z", 5000), []any{}, []any{nil}, map[string]any{}, map[string]any{"a": 1},
		"2026-13-45T99:99:99Z", "0001-01-01T00:00:00Z", "99999-01-01T00:00:00Z", growth.NewID(), "http://169.254.169.254/", "%", "'; --", "\ufeff", "1e999999999", "-0", "NaN")
}

func (w *wild) body(r route, how string) string {
	m := r.op.RequestBody.Value.Content.Get("application/json")
	if m == nil {
		if yaml := r.op.RequestBody.Value.Content.Get("application/yaml"); yaml != nil {
			return pick(w, "name: x\n", ":", "a: [", "&a *a")
		}
		return pick(w, "name,city\nA,Laval\n", "a;b\n1;2\n", "\xff\xfe", "", "name\n\x00\n", strings.Repeat("x,", 2000))
	}
	if how == "nonsense" {
		return pick(w, "", "{", "[]", "null", "true", `"x"`, `{"a":`, "\xff", `{"a":1}{"b":2}`, strings.Repeat("[", 2000), `{"":{"":{}}}`, string(must(json.Marshal(w.junk()))), "\x00")
	}
	v := w.value(m.Schema.Value, "", 0)
	if example := r.example(); example != "" && w.chance(0.4) {
		var given any
		if json.Unmarshal([]byte(example), &given) == nil {
			v = given
		}
	}
	if how == "one fault" {
		v = w.spoil(v)
	}
	return string(must(json.Marshal(v)))
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// spoil puts one wrong thing somewhere into a value.
func (w *wild) spoil(v any) any {
	switch t := v.(type) {
	case map[string]any:
		names := make([]string, 0, len(t))
		for k := range t {
			names = append(names, k)
		}
		slices.Sort(names)
		if len(names) == 0 || w.chance(0.15) {
			t["no_such_field"] = w.junk()
			return t
		}
		k := pick(w, names...)
		switch {
		case w.chance(0.2):
			delete(t, k)
		default:
			t[k] = w.spoil(t[k])
		}
		return t
	case []any:
		if len(t) > 0 && w.chance(0.7) {
			i := w.IntN(len(t))
			t[i] = w.spoil(t[i])
			return t
		}
	}
	return w.junk()
}

// value makes a value that fits a schema, as far as the schema says what fits.
func (w *wild) value(s *openapi3.Schema, name string, depth int) any {
	switch {
	case s == nil:
		return map[string]any{"a": w.IntN(9)}
	case len(s.OneOf) > 0:
		return w.value(pick(w, s.OneOf...).Value, name, depth)
	case len(s.AnyOf) > 0:
		return w.value(pick(w, s.AnyOf...).Value, name, depth)
	case len(s.Enum) > 0:
		return pick(w, s.Enum...)
	}
	switch {
	case s.Type.Includes("object"):
		return w.object(s, depth)
	case s.Type.Includes("array"):
		return w.array(s, name, depth)
	case s.Type.Includes("boolean"):
		return w.chance(0.5)
	case s.Type.Includes("integer"):
		return w.whole(s)
	case s.Type.Includes("number"):
		low, high := bounds(s)
		return low + w.Float64()*(high-low)
	case s.Type.Includes("string"):
		return w.text(s, name)
	}
	return map[string]any{"a": w.IntN(9)}
}

func (w *wild) object(s *openapi3.Schema, depth int) map[string]any {
	out := map[string]any{}
	names := make([]string, 0, len(s.Properties))
	for k := range s.Properties {
		names = append(names, k)
	}
	slices.Sort(names)
	for _, k := range names {
		if slices.Contains(s.Required, k) || depth < 4 && w.chance(0.35) {
			out[k] = w.value(s.Properties[k].Value, k, depth+1)
		}
	}
	if more := s.AdditionalProperties.Schema; more != nil && depth < 4 {
		for range w.IntN(3) {
			out[w.word()] = w.value(more.Value, "", depth+1)
		}
	}
	return out
}

func (w *wild) array(s *openapi3.Schema, name string, depth int) []any {
	n := int(s.MinItems) + w.IntN(3)
	if s.MaxItems != nil {
		n = min(n, int(*s.MaxItems))
	}
	out := []any{}
	for range n {
		out = append(out, w.value(s.Items.Value, strings.TrimSuffix(name, "s"), depth+1))
	}
	return out
}

func bounds(s *openapi3.Schema) (low, high float64) {
	low, high = 0, 100
	if s.Min != nil {
		low, high = *s.Min, *s.Min+100
	}
	if s.Max != nil {
		high = *s.Max
		low = min(low, high)
	}
	return low, high
}

func (w *wild) whole(s *openapi3.Schema) int64 {
	low, high := bounds(s)
	return int64(low) + w.Int64N(int64(high-low)+1)
}

var wildWords = []string{
	"Café du Parc", "Laval", "x", "fr-CA", "Québec 😀", "2+2", "https://example.com/a", "info@example.com", "America/Toronto", "0 9 * * 1", "1.5", "2027-03-15T09:00", "high",
	"published", "standard", "local-business", "openrouter", "null", "a'b\"c<d>", "\u202eabc", "+1 450 555 0142", "PUBLIC",
}

func (w *wild) word() string { return pick(w, wildWords...) }

func (w *wild) text(s *openapi3.Schema, name string) string {
	switch s.Format {
	case "uuid":
		return w.anyID()
	case "date-time":
		return pick(w, "2027-03-15T13:00:00Z", "2030-01-01T00:00:00.123456789+05:30", "2000-01-01T00:00:00Z")
	case "uri":
		return pick(w, "https://example.com/a?b=c", "http://localhost:1/")
	}
	if strings.HasSuffix(name, "_id") && w.chance(0.7) {
		return w.anyID()
	}
	text := w.word()
	for uint64(len([]rune(text))) < s.MinLength {
		text += text
	}
	if s.MaxLength != nil && uint64(len([]rune(text))) > *s.MaxLength {
		text = string([]rune(text)[:*s.MaxLength])
	}
	return text
}

func (w *wild) anyID() string {
	things := make([]string, 0, len(w.ids))
	for k := range w.ids {
		things = append(things, k)
	}
	slices.Sort(things)
	if len(things) > 0 && w.chance(0.7) {
		if ids := w.ids[pick(w, things...)]; len(ids) > 0 {
			if id := pick(w, ids...); growth.ValidID(id) {
				return id
			}
		}
	}
	return growth.NewID()
}

// learn remembers what a request made, so that later ones can name it.
func (w *wild) learn(r route, body []byte) {
	var made struct{ ID string }
	if r.method != "POST" || json.Unmarshal(body, &made) != nil || !growth.ValidID(made.ID) {
		return
	}
	thing := r.path + "/{id}"
	if strings.HasPrefix(r.path, "/v1/jobs/") {
		thing = "/v1/jobs/{id}"
	}
	const most = 20
	ids := w.ids[thing]
	if len(ids) >= most {
		ids[w.IntN(most)] = made.ID
		return
	}
	w.ids[thing] = append(ids, made.ID)
}
