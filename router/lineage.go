package router

import (
	"slices"
	"strings"
)

// Lineage is what versions, sizes and providers of one model share: "anthropic/claude-sonnet-4.5" and
// "claude-sonnet-4" have the lineage "claude-sonnet". Models of one lineage make the same mistakes, so that one is no
// judge of the other. It errs on the side of calling two models the same.
func Lineage(slug string) string {
	name, _, _ := strings.Cut(slug[strings.LastIndexByte(slug, '/')+1:], ":")
	name = strings.ToLower(name)
	if i := strings.IndexAny(name, "0123456789"); i > 0 {
		name = name[:i]
	}
	return strings.Trim(name, "-_.")
}

// others leaves of a family's models those that have another lineage than the one that must not answer.
func (w *walker) others(models []string) []string {
	if w.req.Except == "" {
		return models
	}
	barred := Lineage(w.req.Except)
	return slices.DeleteFunc(slices.Clone(models), func(slug string) bool { return Lineage(slug) == barred })
}

// OnlyExcepted says whether a walk failed for lack of models alone: each candidate was the excepted model, or is not to
// be had at all. Waiting does not help then.
func (e *ChainError) OnlyExcepted() bool {
	excepted := false
	for _, c := range e.Calls {
		switch c.Code {
		case skipExcepted:
			excepted = true
		case skipNotConfigured, skipPrivacy, skipModelGone, skipPaid:
		default:
			return false
		}
	}
	return excepted
}
