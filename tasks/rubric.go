package tasks

import (
	"context"
	"regexp"
	"slices"
	"strings"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/lead"
	"github.com/zakibelm/astrogrowth/store"
)

// rubricRef is a name, or a name and a version: name@version.
var rubricRef = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}(@[a-z0-9][a-z0-9._-]{0,63})?$`)

// validRubric refuses what can name no rubric. Whether there is one of that name, only the workspace knows: see RubricOf.
func validRubric(op, ref string) error {
	if ref == "" || rubricRef.MatchString(ref) {
		return nil
	}
	return growth.InvalidField(op, "rubric", "use the name of a rubric, or name@version; see /v1/rubrics")
}

// BuiltInRubric says whether a reference names a rubric that every workspace has.
func BuiltInRubric(ref string) bool {
	name, _, _ := strings.Cut(ref, "@")
	return name == "" || slices.Contains(lead.Names(), name)
}

// RubricOf reads a rubric as a workspace sees it: its own, or one that is built in. A name alone is its newest version;
// an empty reference is the default. What names none is Invalid in the field rubric.
func RubricOf(ctx context.Context, sc store.Scoped, ref string) (lead.Rubric, error) {
	if BuiltInRubric(ref) {
		return lead.Load(ref)
	}
	kept, err := sc.Rubric(ctx, ref)
	if growth.CodeOf(err) == growth.NotFound {
		return lead.Rubric{}, growth.InvalidField("tasks.RubricOf", "rubric", "%q is no rubric of this workspace, nor built in (%s); see /v1/rubrics",
			ref, strings.Join(lead.Names(), ", "))
	}
	if err != nil {
		return lead.Rubric{}, err
	}
	return lead.ParseKept([]byte(kept.Source))
}

// Rubrics reads the rubrics of a workspace, each once: for work on many leads at a time.
type Rubrics struct {
	sc   store.Scoped
	seen map[string]lead.Rubric
}

// NewRubrics makes a reader that has read nothing yet.
func NewRubrics(sc store.Scoped) *Rubrics {
	return &Rubrics{sc: sc, seen: map[string]lead.Rubric{}}
}

// Of is RubricOf.
func (r *Rubrics) Of(ctx context.Context, ref string) (lead.Rubric, error) {
	if known, ok := r.seen[ref]; ok {
		return known, nil
	}
	found, err := RubricOf(ctx, r.sc, ref)
	if err == nil {
		r.seen[ref] = found
	}
	return found, err
}

// Fingerprint is the digest of what a lead's score would rest on if it were qualified with these arguments now.
func (r *Rubrics) Fingerprint(ctx context.Context, l growth.Lead, a QualifyArgs, settings growth.WorkspaceSettings) (string, error) {
	rubric, err := r.Of(ctx, first(a.Rubric, settings.Rubric))
	if err != nil {
		return "", err
	}
	return lead.Fingerprint(l, rubric.In(first(a.Language, settings.Language, "fr-CA")), first(a.ICP, settings.ICP)), nil
}
