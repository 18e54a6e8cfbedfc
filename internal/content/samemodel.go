package content

import growth "github.com/zakibelm/astrogrowth"

// SameModel is the check of who judged: a model that judges what it wrote itself judges nothing, so then a person has to.
func SameModel(writer, judge string, same bool) growth.Check {
	c := growth.Check{Rule: RuleSameModel, Hard: true, OK: !same}
	if same {
		c.Detail = "no other model than the one that wrote the text could judge it: " + judge + " judged what " + writer + " wrote"
	}
	return c
}
