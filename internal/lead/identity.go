// Package lead knows what a lead is: when two of them are the same one, how a file of them is read, what a rubric asks
// of them, whether a model's reading of one is true to it, and what it scores. It refuses to know models, databases and
// networks: everything here is a function of its arguments.
package lead

import (
	"net/url"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"

	growth "github.com/zakibelm/astrogrowth"
)

// KeyKind names what a key was made from.
type KeyKind string

// The kinds of keys, from the surest to the least sure.
const (
	KeyExternalID  KeyKind = "external_id"
	KeyEmail       KeyKind = "email"
	KeyLinkedIn    KeyKind = "linkedin"
	KeyWebsiteName KeyKind = "website_name"
	KeyNameAddress KeyKind = "name_address"
)

var keyKinds = [...]KeyKind{KeyExternalID, KeyEmail, KeyLinkedIn, KeyWebsiteName, KeyNameAddress}

// Key is one mark by which a lead is recognised when it comes again. Its value may be personal data.
type Key struct {
	Kind  KeyKind
	Value string
}

// Keys gives the lead's marks, the surest first, each normalised so that other ways of writing the same thing agree.
func Keys(l growth.Lead) []Key {
	var out []Key
	add := func(k KeyKind, v string) {
		if v != "" {
			out = append(out, Key{Kind: k, Value: v})
		}
	}
	name := foldName(l.BusinessName)
	if name == "" {
		name = Fold(l.ContactName)
	}
	// Identifiers of other systems can tell upper from lower case, so theirs is kept.
	add(KeyExternalID, norm.NFC.String(strings.TrimSpace(l.ExternalID)))
	add(KeyEmail, foldEmail(l.Email))
	add(KeyLinkedIn, foldLinkedIn(l.LinkedInURL))
	if host := foldHost(l.Website); host != "" && name != "" {
		add(KeyWebsiteName, host+"|"+name)
	}
	if street := foldAddress(l.Address); street != "" && name != "" {
		// Every town has a Rue Principale: the town is part of a street address wherever it is known.
		add(KeyNameAddress, name+"|"+street+"|"+foldTown(l.City))
	}
	return out
}

// Same says whether two leads with these keys are one lead, and which key says so. The first kind that both carry
// decides: other e-mail addresses are other leads, whatever else agrees. Branches of a chain share a website and a
// name, so there a different street address overrules.
func Same(a, b []Key) (Key, bool) {
	for _, kind := range keyKinds {
		ka, kb := keyOf(a, kind), keyOf(b, kind)
		if ka == "" || kb == "" {
			continue
		}
		if kind == KeyWebsiteName && ka == kb {
			sa, sb := keyOf(a, KeyNameAddress), keyOf(b, KeyNameAddress)
			if sa != "" && sb != "" && sa != sb {
				return Key{}, false
			}
		}
		if kind == KeyWebsiteName && ka != kb {
			continue // a second website proves nothing
		}
		return Key{Kind: kind, Value: ka}, ka == kb
	}
	return Key{}, false
}

func keyOf(keys []Key, kind KeyKind) string {
	for _, k := range keys {
		if k.Kind == kind {
			return k.Value
		}
	}
	return ""
}

// forms of companies: dropped wherever they stand, and dropped only at the end (there they are no words of a name).
var (
	legalForms = set("inc incorporee incorporated ltee ltd limitee limited llc llp senc sencrl enr enrg sarl eurl gmbh plc")
	legalEnds  = set("co corp corporation cie compagnie company sa sas srl reg lp et")
)

func foldName(s string) string {
	all := joinInitials(strings.Fields(Fold(s)))
	words := slices.DeleteFunc(slices.Clone(all), func(w string) bool { return legalForms[w] })
	for len(words) > 1 && legalEnds[words[len(words)-1]] {
		words = words[:len(words)-1]
	}
	if len(words) == 0 {
		words = all
	}
	for i, w := range words {
		switch w {
		case "and":
			words[i] = "et"
		case "saint":
			words[i] = "st"
		case "sainte":
			words[i] = "ste"
		}
	}
	return strings.Join(words, " ")
}

// joinInitials makes "s e n c" into "senc": what was written with full stops equals what was not.
func joinInitials(words []string) []string {
	var out []string
	single := false
	for _, w := range words {
		one := len(w) == 1 && w[0] >= 'a'
		if one && single {
			out[len(out)-1] += w
			continue
		}
		out, single = append(out, w), one
	}
	return out
}

var streetWords = map[string]string{
	"boulevard": "boul", "blvd": "boul", "bd": "boul", "bld": "boul", "bould": "boul",
	"avenue": "av", "ave": "av", "chemin": "ch", "place": "pl", "square": "sq", "carre": "sq",
	"montee": "mtee", "autoroute": "aut", "route": "rte", "road": "rd", "drive": "dr", "street": "st",
	"saint": "st", "sainte": "ste", "croissant": "crois", "crescent": "crois", "cres": "crois",
	"bureau": "unit", "bur": "unit", "suite": "unit", "appartement": "unit", "app": "unit", "apt": "unit",
	"local": "unit", "unite": "unit",
	"east": "est", "west": "ouest", "north": "nord", "south": "sud",
}

var lastStreetWords = map[string]string{"e": "est", "o": "ouest", "w": "ouest", "n": "nord", "s": "sud"}

func foldAddress(s string) string {
	words := strings.Fields(Fold(s))
	for i, w := range words {
		if v, ok := streetWords[w]; ok {
			words[i] = v
		} else if v, ok := lastStreetWords[w]; ok && i > 1 && i == len(words)-1 {
			words[i] = v
		}
	}
	return strings.Join(words, " ")
}

func foldTown(s string) string {
	town, _, _ := splitPostal(s)
	return foldAddress(town)
}

func foldEmail(s string) string {
	s = strings.ToLower(norm.NFC.String(strings.TrimSpace(s)))
	return strings.TrimSpace(strings.TrimPrefix(s, "mailto:"))
}

func foldHost(s string) string {
	u := parseURL(s)
	if u == nil {
		return ""
	}
	return strings.TrimPrefix(strings.TrimSuffix(strings.ToLower(u.Hostname()), "."), "www.")
}

func foldLinkedIn(s string) string {
	u := parseURL(s)
	if u == nil || !isLinkedIn(u.Hostname()) {
		return ""
	}
	path := strings.Trim(strings.ToLower(norm.NFC.String(u.Path)), "/")
	if path == "" {
		return ""
	}
	return "linkedin.com/" + path
}

func isLinkedIn(host string) bool {
	host = strings.ToLower(host)
	return host == "linkedin.com" || strings.HasSuffix(host, ".linkedin.com")
}

// parseURL reads an address as people write it, with or without its scheme; nil when it is none.
func parseURL(s string) *url.URL {
	s = strings.TrimSpace(s)
	if s == "" || strings.ContainsAny(s, " \t\r\n") {
		return nil
	}
	if !strings.Contains(s, "://") {
		s = "https://" + s
	}
	u, err := url.Parse(s)
	if err != nil || !strings.Contains(u.Hostname(), ".") || (u.Scheme != "http" && u.Scheme != "https") {
		return nil
	}
	return u
}

func set(words string) map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq(words) {
		m[w] = true
	}
	return m
}
