package lead

import (
	"encoding/json"

	growth "github.com/zakibelm/astrogrowth"
)

// hidden stands in a private field of an anonymous lead: rules may ask whether it is there.
const hidden = "[…]"

// Anonymous is a lead as a model may see it, as a lead again: what the rubric does not show is gone, private fields say
// only that they are there, and private values in a text are placeholders.
func Anonymous(r Rubric, l growth.Lead) growth.Lead {
	view, _ := View(r, l)
	var fields map[string]any
	if json.Unmarshal(mustJSON(l), &fields) != nil {
		return growth.Lead{}
	}
	extra := map[string]string{}
	for name := range fields {
		value, seen := view[name]
		switch _, text := fields[name].(string); {
		case !seen:
			delete(fields, name)
		case privateFields[name] != "":
			fields[name] = hidden
		case text:
			fields[name] = value
		}
	}
	for name := range l.Extra {
		if value, seen := view[extraPrefix+name]; seen {
			extra[name] = value
		}
	}
	var out growth.Lead
	if json.Unmarshal(mustJSON(fields), &out) != nil {
		return growth.Lead{}
	}
	if len(extra) > 0 {
		out.Extra = extra
	}
	return out
}
