package api

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// faultOf names the field that the framework found at fault, and says what would be right.
func faultOf(d *huma.ErrorDetail) Fault {
	if m := missing.FindStringSubmatch(d.Message); m != nil {
		return Fault{Field: d.Location + "." + m[1], Message: "is missing"}
	}
	return Fault{Field: d.Location, Message: plainer(d.Message)}
}

// missing is the framework's word for a member that is not there; it names the object around it as the place.
var missing = regexp.MustCompile(`^expected required property (\S+) to be present$`)

// plainWords say what would be right where the framework says what it is checked by. The first that fits counts.
var plainWords = []struct {
	said *regexp.Regexp
	say  string
}{
	{regexp.MustCompile(`^unexpected property$`), "there is no such field; see the schema at /docs"},
	{regexp.MustCompile(`^unknown query parameter$`), "this call has no such parameter; see it at /docs"},
	{regexp.MustCompile(`^(unknown content type.*)$`), "$1; send JSON, with the header Content-Type: application/json"},
	{regexp.MustCompile(`^expected value to be one of "(.*)"$`), "use one of $1"},
	{regexp.MustCompile(`^expected string to be RFC 4122 uuid`), "this is no id; ids are UUIDs such as 01990000-0000-7000-8000-00000000000a"},
	{regexp.MustCompile(`^expected string to be RFC 3339 date$`), "use a day, such as 2026-11-28"},
	{regexp.MustCompile(`^(expected string to be RFC 3339 date-time|invalid date/time for format)`), "use a time with its offset, such as 2026-11-28T09:00:00Z"},
	{regexp.MustCompile(`^(invalid|expected) integer$`), "use a whole number"},
	{regexp.MustCompile(`^(invalid float|expected number)$`), "use a number"},
	{regexp.MustCompile(`^(invalid|expected) boolean$`), "use true or false"},
	{regexp.MustCompile(`^expected string$`), "use a text, in quotes"},
	{regexp.MustCompile(`^expected (object|array)$`), "use an $1"},
	{regexp.MustCompile(`^expected number >= (.*)$`), "use at least $1"},
	{regexp.MustCompile(`^expected number <= (.*)$`), "use at most $1"},
	{regexp.MustCompile(`^expected length >= 1$`), "a value is missing"},
	{regexp.MustCompile(`^expected length >= (\d+)$`), "use at least $1 characters"},
	{regexp.MustCompile(`^expected length <= (\d+)$`), "use at most $1 characters"},
	{regexp.MustCompile(`^expected array length >= (\d+)$`), "give at least $1"},
	{regexp.MustCompile(`^expected array length <= (\d+)$`), "give at most $1"},
}

var exponent = regexp.MustCompile(`\d(\.\d+)?e\+\d+`)

// plainer also writes numbers out that the framework shortens to 2.592e+06.
func plainer(s string) string {
	s = exponent.ReplaceAllStringFunc(s, func(n string) string {
		f, err := strconv.ParseFloat(n, 64)
		if err != nil {
			return n
		}
		return strconv.FormatFloat(f, 'f', -1, 64)
	})
	for _, w := range plainWords {
		if m := w.said.FindStringSubmatchIndex(s); m != nil {
			return strings.TrimSpace(string(w.said.ExpandString(nil, w.say, s, m)))
		}
	}
	return s
}
