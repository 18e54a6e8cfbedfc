package lead

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	growth "github.com/zakibelm/astrogrowth"
)

// RubricFault is one thing that is wrong with the text of a rubric.
type RubricFault struct {
	Field string // where, as criteria[2].levels[0].points; "rubric" for the text as a whole
	Line  int
	Got   string // what stands there; empty where nothing does
	Want  string // what would be right
}

// String says all of it but the field.
func (f RubricFault) String() string {
	s := f.Want
	if got := strconv.Quote(f.Got); f.Got != "" && !strings.Contains(s, got) {
		s += ", not " + got
	}
	if f.Line > 0 {
		s = fmt.Sprintf("line %d: %s", f.Line, s)
	}
	return s
}

// RubricError is everything that is wrong with the text of a rubric, in the order of its lines.
type RubricError struct{ Faults []RubricFault }

// Error names the first fault and says how many there are.
func (e *RubricError) Error() string { return e.first().Error() }

// Unwrap is the first fault as any other error in an input.
func (e *RubricError) Unwrap() error { return e.first() }

func (e *RubricError) first() *growth.Error {
	f := e.Faults[0]
	more := ""
	if n := len(e.Faults) - 1; n > 0 {
		more = fmt.Sprintf(" (and %d more)", n)
	}
	return growth.InvalidField(opParse, f.Field, "%s%s", f, more)
}

const (
	maxFaults = 100 // that are told at once
	maxGot    = 60  // characters of what stands at fault
)

// faults collects what is wrong, each place once.
type faults struct {
	all   []RubricFault
	paths map[string]bool
}

func (f *faults) add(x RubricFault) {
	if f.paths == nil {
		f.paths = map[string]bool{}
	}
	if f.paths[x.Field] || len(f.all) >= maxFaults {
		return
	}
	f.paths[x.Field] = true
	x.Got = shorten(x.Got, maxGot)
	f.all = append(f.all, x)
}

// meant keeps a place from being told at fault: another one says what is wrong with it.
func (f *faults) meant(field string) {
	if f.paths == nil {
		f.paths = map[string]bool{}
	}
	f.paths[field] = true
}

// covers says whether a fault is told of the place, or of one that it is a part of.
func (f *faults) covers(field string) bool {
	for field != "" {
		if f.paths[field] {
			return true
		}
		field = field[:max(strings.LastIndexByte(field, '.'), strings.LastIndexByte(field, '['), 0)]
	}
	return false
}

// within says whether a fault is told of something inside of the place.
func (f *faults) within(field string) bool {
	for path := range f.paths {
		if strings.HasPrefix(path, field+".") || strings.HasPrefix(path, field+"[") {
			return true
		}
	}
	return false
}

func (f *faults) err() error {
	if len(f.all) == 0 {
		return nil
	}
	slices.SortStableFunc(f.all, func(a, b RubricFault) int { return cmp.Compare(a.Line, b.Line) })
	return &RubricError{f.all}
}

// pathText writes keys and indexes as criteria[2].levels[0].points.
func pathText(path []any) string {
	var b strings.Builder
	for _, step := range path {
		switch s := step.(type) {
		case int:
			fmt.Fprintf(&b, "[%d]", s)
		default:
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			fmt.Fprint(&b, s)
		}
	}
	if b.Len() == 0 {
		return "rubric"
	}
	return b.String()
}

// nearest is the known word that a written one was probably meant to be; "" when none is near.
func nearest(word string, known []string) string {
	if near := growth.Nearest(word, known, 1); len(near) > 0 {
		return near[0]
	}
	return ""
}
