package lead

import (
	"slices"
	"strings"
	"time"

	growth "github.com/zakibelm/astrogrowth"
)

// Verdict is what goes with a score that a person gives. Empty members are to be derived from the score.
type Verdict struct {
	Grade      string // A1 to C3
	Priority   string // high, medium, low
	NextAction string
}

// actionsOf lists what a person may do next with a lead of a priority: what a score may, and put it out of the question.
func actionsOf(priority string) []string {
	if priority == "low" {
		return append(slices.Clone(allowed[priority]), ActionDisqualify)
	}
	return allowed[priority]
}

// Judge completes the verdict of a person who gives a lead a score, or refuses what contradicts itself. A grade that is
// not given is that of a fit and an intent as high as the score, a priority that of the rubric's thresholds, and the next
// action the first that the priority allows and the lead can be reached by.
func (r Rubric) Judge(l growth.Lead, score int, v Verdict, now time.Time) (Verdict, error) {
	const op = "lead.Judge"
	if v.Grade == "" {
		v.Grade = r.grade(score, score)
	}
	if least, most, ok := r.scores(v.Grade); !ok || score < least || score > most {
		return v, growth.InvalidField(op, "body.grade", "a lead of grade %s has a score from %d to %d by the rubric %s, not %d; give another grade, or none",
			v.Grade, least, most, r.ID(), score)
	}
	own := r.priority(score)
	switch {
	case v.Priority == "":
		v.Priority = own
	case v.Priority != own && v.Priority != "medium" && own != "medium":
		return v, growth.InvalidField(op, "body.priority", "a score of %d is of %s priority by the rubric %s: a person may say medium, but not %s; give another score, or another priority",
			score, own, r.ID(), v.Priority)
	}
	if v.NextAction == "" {
		v.NextAction = reachable(l, allowed[v.Priority][0], v.Priority)
		if l.Barred(now) != nil && touches(v.NextAction) {
			v.NextAction = ActionReview
		}
		return v, nil
	}
	if can := actionsOf(v.Priority); !slices.Contains(can, v.NextAction) {
		return v, growth.InvalidField(op, "body.next_action", "a lead of %s priority is not for %s; use %s", v.Priority, v.NextAction, strings.Join(can, ", "))
	}
	switch barred := l.Barred(now); {
	case touches(v.NextAction) && barred != nil:
		return v, growth.InvalidField(op, "body.next_action", "the lead's consent has ended, so that it can be neither called nor written to; use %s", ActionReview)
	case v.NextAction == ActionCall && l.Phone == "":
		return v, growth.InvalidField(op, "body.next_action", "the lead has no phone number to call; use another action, or give it one first")
	case v.NextAction == ActionEmail && l.Email == "":
		return v, growth.InvalidField(op, "body.next_action", "the lead has no e-mail address to write to; use another action, or give it one first")
	}
	return v, nil
}

// touches says whether an action gets in touch with the lead.
func touches(action string) bool {
	return action == ActionCall || action == ActionEmail || action == ActionNurture
}

// reachable is the action, or the next one that the lead can be reached for.
func reachable(l growth.Lead, action, priority string) string {
	if action == ActionCall && l.Phone == "" {
		action = ActionEmail
	}
	if action == ActionEmail && l.Email == "" {
		if l.Phone != "" && priority != "low" {
			return ActionCall
		}
		return ActionResearch
	}
	return action
}

// scores are the lowest and the highest score that a lead of this grade can have.
func (r Rubric) scores(grade string) (least, most int, ok bool) {
	if len(grade) != 2 {
		return 0, 0, false
	}
	fit, intent := strings.IndexByte("ABC", grade[0]), strings.IndexByte("123", grade[1])
	if fit < 0 || intent < 0 {
		return 0, 0, false
	}
	from, to := []int{r.Grade.First, r.Grade.Second, 0}, []int{100, max(r.Grade.First-1, 0), max(r.Grade.Second-1, 0)}
	return r.weighed(from[fit], from[intent]), r.weighed(to[fit], to[intent]), true
}
