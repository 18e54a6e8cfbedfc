package webhook

import (
	"maps"
	"slices"
	"strings"

	growth "github.com/zakibelm/astrogrowth"
)

// Bounds of a mapping.
const (
	maxMapped = 60
	maxOwn    = 60 // further fields that a kind finds by itself
)

// Mapping says where in a message the fields of a lead stand: names of fields and paths. A field that it does not name
// is where the kind has it; one with an empty path is left out.
type Mapping map[string]string

// Check says what is wrong with a mapping; the names of the fields are not looked at.
func (m Mapping) Check() error {
	if len(m) > maxMapped {
		return growth.InvalidField("webhook.Mapping", "mapping", "name at most %d fields", maxMapped)
	}
	for _, field := range slices.Sorted(maps.Keys(m)) {
		if m[field] == "" {
			continue
		}
		if _, err := ParsePath("mapping."+field, m[field]); err != nil {
			return err
		}
	}
	return nil
}

// Fields gives the values of a lead's fields that a message holds.
func (m Mapping) Fields(k Kind, msg Message) (map[string]string, error) {
	out := map[string]string{}
	for field, value := range own(k, msg.value) {
		if _, named := m[field]; !named && value != "" {
			out[field] = value
		}
	}
	for _, field := range slices.Sorted(maps.Keys(m)) {
		if m[field] == "" {
			continue
		}
		p, err := ParsePath("mapping."+field, m[field])
		if err != nil {
			return nil, err
		}
		value, err := p.find(msg.value)
		if err != nil {
			return nil, growth.InvalidField("webhook.Fields", "mapping."+field, "%s", err.(*growth.Error).Message) //nolint:errcheck,errorlint // find makes no other
		}
		if value != "" {
			out[field] = value
		}
	}
	return out, nil
}

// own is what a kind finds by itself.
func own(k Kind, v any) map[string]string {
	switch k {
	case KindTypeform:
		return typeform(v)
	case KindCalendly:
		return calendly(v)
	case KindHubSpot:
		return hubSpot(v)
	case KindHMAC, KindHMACBody, KindStandard, KindToken:
	}
	return generic(v)
}

// fieldNames are the fields that a body may hold under their own names.
var fieldNames = []string{
	"external_id", "business_name", "business_type", "contact_name", "job_title", "email", "phone", "website", "linkedin_url", "address", "city",
	"province", "postal_code", "country", "google_rating", "google_reviews", "source", "notes",
}

// otherNames are what others call the fields.
var otherNames = map[string][]string{
	"business_name": {"company", "company_name", "organization", "organisation"},
	"contact_name":  {"name", "full_name"},
	"email":         {"email_address", "work_email"},
	"phone":         {"phone_number"},
	"notes":         {"message", "comment", "comments"},
	"job_title":     {"title", "role"},
}

// generic takes the fields by their names, in the body itself or in its lead, data, contact or payload.
func generic(v any) map[string]string {
	out := map[string]string{}
	for _, place := range []any{v, at(v, "lead"), at(v, "data"), at(v, "data", "lead"), at(v, "contact"), at(v, "payload")} {
		for _, field := range fieldNames {
			for _, name := range append([]string{field}, otherNames[field]...) {
				put(out, field, scalar(at(place, name)))
			}
		}
		put(out, "contact_name", strings.TrimSpace(word(at(place, "first_name"))+" "+word(at(place, "last_name"))))
		more(out, "", at(place, "extra"))
	}
	return out
}

// put sets what is not set yet.
func put(out map[string]string, field, value string) {
	if out[field] == "" && value != "" {
		out[field] = value
	}
}

// scalar is the text of a value that is no object and no list.
func scalar(v any) string {
	switch v.(type) {
	case map[string]any, []any:
		return ""
	}
	s, _ := asText(v)
	return strings.TrimSpace(s)
}

// more takes the members of an object as further fields.
func more(out map[string]string, prefix string, v any) {
	m, _ := v.(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if len(out) >= maxOwn {
			return
		}
		further(out, prefix+name, scalar(m[name]))
	}
}

func further(out map[string]string, name, value string) {
	if slug := slugOf(name); slug != "" && len(out) < maxOwn {
		put(out, "extra."+slug, value)
	}
}

// slugOf makes a name of a further field out of any text.
func slugOf(s string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(s) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "_"):
			b.WriteByte('_')
		}
		if b.Len() >= 60 {
			break
		}
	}
	return strings.Trim(b.String(), "_")
}

// answerValue is the value of a Typeform answer: it stands under the name of its type.
func answerValue(answer any) any { return at(answer, word(at(answer, "type"))) }

// typeform takes an answer whose question has the ref of a field as that field; the first e-mail address, telephone
// number and web address as those; the rest as further fields, under their refs.
func typeform(v any) map[string]string {
	form := at(v, "form_response")
	out := map[string]string{"source": "typeform"}
	if token := word(at(form, "token")); token != "" {
		out["external_id"] = "typeform:" + token
	}
	var rest [][2]string
	for _, a := range list(at(form, "answers")) {
		value, err := asText(answerValue(a))
		if value = strings.TrimSpace(value); err != nil || value == "" {
			continue
		}
		ref := word(at(a, "field", "ref"))
		switch kind := word(at(a, "type")); {
		case slices.Contains(fieldNames, ref):
			out[ref] = value
		case kind == "email" && out["email"] == "":
			out["email"] = value
		case kind == "phone_number" && out["phone"] == "":
			out["phone"] = value
		case kind == "url" && out["website"] == "":
			out["website"] = value
		default:
			rest = append(rest, [2]string{ref, value})
		}
	}
	for _, r := range rest {
		further(out, r[0], r[1])
	}
	more(out, "", at(form, "hidden"))
	return out
}

// calendly takes the invitee, and the questions whose words are the name of a field.
func calendly(v any) map[string]string {
	p := at(v, "payload")
	out := map[string]string{
		"source": "calendly", "email": word(at(p, "email")), "contact_name": word(at(p, "name")),
		"extra.meeting": word(at(p, "scheduled_event", "name")), "extra.meeting_at": word(at(p, "scheduled_event", "start_time")),
		"extra.timezone": word(at(p, "timezone")),
	}
	if uri := word(at(p, "uri")); uri != "" {
		out["external_id"] = "calendly:" + uri
	}
	if out["contact_name"] == "" {
		out["contact_name"] = strings.TrimSpace(word(at(p, "first_name")) + " " + word(at(p, "last_name")))
	}
	for _, q := range list(at(p, "questions_and_answers")) {
		name, value := slugOf(word(at(q, "question"))), scalar(at(q, "answer"))
		if field := fieldCalled(name); field != "" {
			put(out, field, value)
		} else {
			further(out, name, value)
		}
	}
	more(out, "", at(p, "tracking"))
	return out
}

// fieldCalled is the field that others call so; empty: none.
func fieldCalled(name string) string {
	if slices.Contains(fieldNames, name) {
		return name
	}
	for field, names := range otherNames {
		if slices.Contains(names, name) {
			return field
		}
	}
	return ""
}

// hubSpot takes the number of the contact, which is all that HubSpot's events say of it, and the property that changed;
// of what a workflow sends, the fields by their names.
func hubSpot(v any) map[string]string {
	out := generic(v)
	out["source"] = "hubspot"
	props := at(v, "properties")
	for _, field := range fieldNames {
		for _, name := range append([]string{field}, otherNames[field]...) {
			put(out, field, hubSpotProperty(at(props, name)))
		}
	}
	put(out, "contact_name", strings.TrimSpace(hubSpotProperty(at(props, "firstname"))+" "+hubSpotProperty(at(props, "lastname"))))
	if name := fieldCalled(word(at(v, "propertyName"))); name != "" {
		out[name] = scalar(at(v, "propertyValue"))
	}
	for _, id := range []any{at(v, "objectId"), at(v, "vid")} {
		if n := word(id); n != "" {
			out["external_id"] = "hubspot:" + n
			break
		}
	}
	return out
}

// hubSpotProperty reads a property in either of its forms: the value, or an object that holds it.
func hubSpotProperty(v any) string {
	if inner := at(v, "value"); inner != nil {
		return scalar(inner)
	}
	return scalar(v)
}
