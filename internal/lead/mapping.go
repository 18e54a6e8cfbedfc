package lead

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	growth "github.com/zakibelm/astrogrowth"
)

// Column says where one column of a file goes.
type Column struct {
	Index   int    // 0-based
	Heading string // as it stands in the file
	Field   string // the lead's field, "extra.<name>", "first_name", "last_name", or empty: left out
	Junk    string // a value that the column repeats and that is left out; another value goes to Field
	Why     string // why it goes there, for people
	guessed bool   // not by a known heading
}

// Mapping says where every column of a file goes, and what is doubtful about that.
type Mapping struct {
	Columns []Column
	Doubts  []string
	Dates   DateOrder // of the columns that are read as dates

	datesWhy  string // what tells the order
	datesOpen string // why nothing does
}

const junkRows = 20 // how many rows must repeat a value before the column is called junk

// Guess maps the columns of a file by their headings, in English and French, and where these say nothing by what stands
// in the sample. Columns that no field fits go to extra.
func Guess(headers []string, sample [][]string) Mapping {
	m := Mapping{Columns: make([]Column, len(headers))}
	for i, h := range headers {
		field, name := guessHeading(h)
		c := Column{Index: i, Heading: h, Field: field, Why: fmt.Sprintf("by its heading %q", name)}
		values := column(sample, i)
		if field == "" {
			c = guessUnknown(c, name, values)
		} else if field == "extra.status" && salesStages(values) {
			c.Field, c.Why = "extra.lead_status", "its values are the stages of a sale"
		} else if why := implausible(field, values); why != "" {
			c.Field, c.Why = extraPrefix+extraName(name), why
			m.Doubts = append(m.Doubts, fmt.Sprintf("%q is not read as %s: %s", h, field, why))
		}
		m.Columns[i] = c
	}
	m.nameWho()
	m.oneEach()
	m.leaveOut(nil)
	m.doubt()
	return m
}

// maxExtraColumns leaves room in a lead for numbers that turn out to be none.
const maxExtraColumns = maxExtra - 2

// leaveOut takes the last of too many further columns out: a lead has room for so many, and with one more none of the
// rows would be taken. What a person asked for stays.
func (m *Mapping) leaveOut(stated map[int]bool) {
	further := 0
	for _, c := range m.Columns {
		if strings.HasPrefix(c.Field, extraPrefix) {
			further++
		}
	}
	var out []string
	for i := len(m.Columns) - 1; i >= 0 && further > maxExtraColumns; i-- {
		c := &m.Columns[i]
		if !strings.HasPrefix(c.Field, extraPrefix) || stated[i] {
			continue
		}
		c.Field, c.Junk, c.Why = "", "", fmt.Sprintf("a lead has room for %d further fields", maxExtraColumns)
		out = append(out, c.Heading)
		further--
	}
	if len(out) > 0 {
		slices.Reverse(out)
		m.Doubts = append(m.Doubts, fmt.Sprintf("%d columns are left out, because a lead has room for %d further fields: %s…; leave others out with --map \"#3=-\"",
			len(out), maxExtraColumns, quoted(out, 3)))
	}
}

// stageWords are what systems for sales write into a column called status. A business that is closed is another thing
// than a sale that is.
var stageWords = set("new nouveau nouvelle open ouvert contacted contacte contactee working qualified qualifie unqualified converted converti conversion " +
	"nurturing won lost gagne perdu prospect lead opportunity opportunite attempted")

// salesStages says whether most values of a column are stages of a sale.
func salesStages(values []string) bool {
	stages, filled := 0, 0
	for _, v := range values {
		if v == "" {
			continue
		}
		filled++
		if slices.ContainsFunc(strings.Fields(Fold(v)), func(w string) bool { return stageWords[w] && w != "open" && w != "ouvert" }) {
			stages++
		}
	}
	return stages*2 > filled
}

func column(sample [][]string, i int) []string {
	var out []string
	for _, r := range sample {
		if i < len(r) {
			out = append(out, strings.TrimSpace(r[i]))
		}
	}
	return out
}

func guessUnknown(c Column, name string, values []string) Column {
	c.guessed = true
	if n := extraName(name); n != "" {
		c.Field, c.Why = extraPrefix+n, "no field of a lead has this name"
	} else {
		c.Field, c.Why = extraPrefix+"column_"+strconv.Itoa(c.Index+1), "it has no usable heading"
	}
	if len(values) >= junkRows && values[0] != "" && len(slices.Compact(slices.Clone(values))) == 1 {
		c.Junk, c.Why = values[0], "every row repeats the same value"
		return c
	}
	if f := guessValues(values); f != "" {
		c.Field, c.Why = f, "by what its values look like"
	}
	return c
}

// implausible says why a column cannot hold what its heading promises: what tells leads apart has many values, and an
// e-mail address has an @.
func implausible(field string, values []string) string {
	distinct, filled, at := map[string]bool{}, 0, 0
	for _, v := range values {
		if v == "" {
			continue
		}
		filled++
		distinct[v] = true
		if strings.Contains(v, "@") {
			at++
		}
	}
	if why := noConsent(field, values); why != "" {
		return why
	}
	switch field {
	case "email":
		if filled > 0 && at == 0 {
			return "its values are no e-mail addresses"
		}
	case "contact_name", "external_id", "phone", "linkedin_url":
		if filled >= 100 && len(distinct)*50 < filled {
			return fmt.Sprintf("%d rows share %d values", filled, len(distinct))
		}
	}
	return ""
}

// nameWho decides what a bare "name" column holds: the contact where another column names the business or a job title,
// else the business.
func (m *Mapping) nameWho() {
	has := func(field string) bool {
		return slices.ContainsFunc(m.Columns, func(c Column) bool { return c.Field == field })
	}
	for i := range m.Columns {
		c := &m.Columns[i]
		switch {
		case c.Field != "name":
		case has("first_name") && !has("last_name"):
			c.Field = "last_name"
		case has("business_name"):
			c.Field, c.Why = "contact_name", "another column names the business"
		case has("job_title"):
			c.Field, c.Why = "contact_name", "another column holds a job title"
		default:
			c.Field, c.Why = "business_name", "no other column names the business"
			m.Doubts = append(m.Doubts, fmt.Sprintf("%q is read as the name of the business; if it is a person, say --map %q",
				c.Heading, c.Heading+"=contact_name"))
		}
	}
}

// oneEach keeps the first column of each field, known headings before guesses; further ones go to extra.
func (m *Mapping) oneEach() {
	taken := map[string]bool{}
	for _, guessed := range []bool{false, true} {
		for i := range m.Columns {
			c := &m.Columns[i]
			if c.guessed != guessed || c.Field == "" {
				continue
			}
			if taken[c.Field] {
				c.Why = fmt.Sprintf("another column is already %s", c.Field)
				c.Field = freeExtra(taken, headingName(c.Heading), c.Index)
			}
			taken[c.Field] = true
		}
	}
}

func freeExtra(taken map[string]bool, name string, index int) string {
	base := extraPrefix + extraName(name)
	if base == extraPrefix {
		base = extraPrefix + "column"
	}
	free := base
	for n := index + 1; taken[free]; n++ { // a heading can look like a numbered one
		suffix := "_" + strconv.Itoa(n)
		free = base[:min(len(base), len(extraPrefix)+maxExtraName-len(suffix))] + suffix
	}
	return free
}

func (m *Mapping) doubt() {
	for _, c := range m.Columns {
		if c.guessed && !strings.HasPrefix(c.Field, extraPrefix) {
			m.Doubts = append(m.Doubts, fmt.Sprintf("%q is read as %s %s", c.Heading, c.Field, c.Why))
		}
	}
	if !m.namesLead() {
		m.Doubts = append(m.Doubts, "no column says who the lead is (business_name, contact_name, email, phone, website, "+
			"linkedin_url or external_id): every row will be set aside unless --map names one")
	}
}

func (m *Mapping) namesLead() bool {
	return slices.ContainsFunc(m.Columns, func(c Column) bool {
		switch c.Field {
		case "business_name", "contact_name", "email", "phone", "website", "linkedin_url", "external_id", "first_name", "last_name":
			return true
		}
		return false
	})
}

// Override changes the mapping as a person says it: "heading=field" pairs parted by commas. A heading may be given
// whole, by the last step of its path, or as #3 for the third column; "-" as field leaves a column out.
func (m Mapping) Override(spec string) (Mapping, error) {
	out := Mapping{Columns: slices.Clone(m.Columns), Dates: m.Dates}
	stated := map[int]bool{}
	for pair := range strings.SplitSeq(spec, ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		i, field, err := out.readPair(pair)
		if err != nil {
			return m, err
		}
		if stated[i] {
			return m, mapError("the column %q is mapped twice", out.Columns[i].Heading)
		}
		stated[i] = true
		for j := range out.Columns {
			if out.Columns[j].Field != field || field == "" || j == i {
				continue
			}
			if stated[j] {
				return m, mapError("two columns are mapped to %s: %q and %q", field, out.Columns[j].Heading, out.Columns[i].Heading)
			}
			out.Columns[j].Field = "" // given anew below
		}
		c := &out.Columns[i]
		c.Field, c.Junk, c.Why, c.guessed = field, "", "as you said", false
	}
	out.rehome(m, stated)
	out.leaveOut(stated)
	out.doubt()
	return out, nil
}

// rehome finds another place for the columns whose field a person gave to another one.
func (m *Mapping) rehome(was Mapping, stated map[int]bool) {
	taken := map[string]bool{}
	for _, c := range m.Columns {
		taken[c.Field] = true
	}
	for i := range m.Columns {
		c := &m.Columns[i]
		if stated[i] || c.Field == was.Columns[i].Field {
			continue
		}
		c.Field = freeExtra(taken, headingName(c.Heading), c.Index)
		c.Why = "you gave its field to another column"
		taken[c.Field] = true
	}
}

func (m *Mapping) readPair(pair string) (index int, field string, err error) {
	i := strings.LastIndexByte(pair, '=')
	if i < 0 {
		return 0, "", mapError("%q has no '='; write heading=field", strings.TrimSpace(pair))
	}
	heading, field := strings.TrimSpace(pair[:i]), strings.TrimSpace(pair[i+1:])
	if index, err = m.find(heading); err != nil {
		return 0, "", err
	}
	if field == "-" {
		return index, "", nil
	}
	if !knownField(field) && field != "first_name" && field != "last_name" && !consentField(field) {
		return 0, "", mapError("%q is no field of a lead; there are %s, %s, first_name, last_name, extra.<name> and - (leave out)",
			field, strings.Join(FieldNames(), ", "), strings.Join(consentFields, ", "))
	}
	return index, field, nil
}

func (m *Mapping) find(heading string) (int, error) {
	if n, ok := strings.CutPrefix(heading, "#"); ok {
		if i, err := strconv.Atoi(n); err == nil && i >= 1 && i <= len(m.Columns) {
			return i - 1, nil
		}
		return 0, mapError("there is no column %s; the file has %d", heading, len(m.Columns))
	}
	for _, same := range []func(c Column) bool{
		func(c Column) bool { return c.Heading == heading },
		func(c Column) bool { return Fold(headingName(c.Heading)) == Fold(heading) },
	} {
		if heading == "" {
			break
		}
		if i := slices.IndexFunc(m.Columns, same); i >= 0 {
			return i, nil
		}
	}
	var all []string
	for _, c := range m.Columns {
		all = append(all, strconv.Quote(c.Heading))
	}
	return 0, mapError("the file has no column %q; it has %s", heading, strings.Join(all, ", "))
}

func mapError(format string, args ...any) error {
	return growth.InvalidField("lead.Override", "map", format, args...)
}

// Explain says in one sentence for each column where it goes and why.
func (m Mapping) Explain() []string {
	var out []string
	for _, c := range m.Columns {
		switch {
		case c.Junk != "":
			out = append(out, fmt.Sprintf("%q is left out: %s (%q)", c.Heading, c.Why, shorten(c.Junk, 60)))
		case c.Field == "":
			out = append(out, fmt.Sprintf("%q is left out, %s", c.Heading, c.Why))
		case c.Field == "city":
			out = append(out, fmt.Sprintf("%q is city, %s; a postal code at its end goes to postal_code", c.Heading, c.Why))
		default:
			out = append(out, fmt.Sprintf("%q is %s, %s", c.Heading, c.Field, c.Why))
		}
	}
	if m.datesWhy != "" {
		out = append(out, m.datesWhy)
	}
	return out
}

// Fields gives the field of each column by its heading; "-" is left out.
func (m Mapping) Fields() map[string]string {
	out := make(map[string]string, len(m.Columns))
	for _, c := range m.Columns {
		out[c.Heading] = c.Field
		if c.Field == "" || c.Junk != "" {
			out[c.Heading] = "-"
		}
	}
	return out
}

func shorten(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}

// apply makes a lead out of a row, or says why that must not be.
func (m Mapping) apply(fields []string) (l growth.Lead, warnings []string, bad string) {
	first, last := "", ""
	for _, c := range m.Columns {
		if c.Field == "" || c.Index >= len(fields) {
			continue
		}
		v := withoutApostrophe(strings.TrimSpace(fields[c.Index]))
		if c.Junk != "" && v == c.Junk {
			continue
		}
		switch c.Field {
		case "first_name":
			first = v
		case "last_name":
			last = v
		case "consent.basis", "consent.source", "consent.at", "consent.expires_at", "consent.withdrawn_at":
			bad = orElse(bad, setConsentField(&l, c.Field, v, m.Dates))
		default:
			if w := setField(&l, c.Field, v); w != "" {
				warnings = append(warnings, w)
			}
		}
	}
	if l.ContactName == "" {
		l.ContactName = strings.TrimSpace(first + " " + last)
	}
	unglue(&l)
	return l, warnings, bad
}

func unglue(l *growth.Lead) {
	city, province, code := splitPostal(l.City)
	if code == "" || l.PostalCode != "" && Fold(l.PostalCode) != Fold(code) {
		return
	}
	l.City, l.PostalCode = city, code
	if l.Province == "" {
		l.Province = province
	}
}
