package config

import (
	"fmt"
	"strings"
)

// Problem is one thing that is wrong with the configuration. Given is empty for secrets and for what is missing.
type Problem struct {
	Name     string // the variable
	Given    string // what it was set to
	Reason   string // why that will not do; empty when Accepted says enough
	Accepted string // what it takes
}

// String reads as one line for the operator.
func (p Problem) String() string {
	s := p.Name + ": "
	if p.Given != "" {
		s += fmt.Sprintf("%q ", p.Given)
	}
	switch {
	case p.Reason != "":
		s += p.Reason
	case p.Given != "":
		s += "is not accepted"
	default:
		s += "the value is not accepted"
	}
	if p.Accepted != "" {
		s += "; accepted: " + p.Accepted
	}
	return s
}

// InvalidError holds every problem of a configuration, in the order of the documentation.
type InvalidError struct {
	Problems []Problem
}

// Error lists the problems, one on each line.
func (e *InvalidError) Error() string {
	var b strings.Builder
	if len(e.Problems) == 1 {
		b.WriteString("1 problem in the configuration:")
	} else {
		fmt.Fprintf(&b, "%d problems in the configuration:", len(e.Problems))
	}
	for _, p := range e.Problems {
		b.WriteString("\n  " + p.String())
	}
	return b.String()
}

// Names lists the variables at fault.
func (e *InvalidError) Names() []string {
	names := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		names[i] = p.Name
	}
	return names
}
