package dashboard

import (
	"fmt"
	"net/http"
	"strings"

	xlanguage "golang.org/x/text/language"
)

// language is one of the languages of the pages.
type language uint8

const (
	english language = iota
	french
)

const languageCookie = "astrogrowth_language"

var matcher = xlanguage.NewMatcher([]xlanguage.Tag{xlanguage.English, xlanguage.French})

// Code is the language's code, as the lang attribute wants it.
func (l language) Code() string {
	if l == french {
		return "fr"
	}
	return "en"
}

// languageOf finds the language that a request asks for: in its address, else in the cookie of an earlier choice, else
// in what the browser prefers. chosen says that the address named it.
func languageOf(r *http.Request) (l language, chosen bool) {
	if l, ok := parseLanguage(r.URL.Query().Get("lang")); ok {
		return l, true
	}
	if c, err := r.Cookie(languageCookie); err == nil {
		if l, ok := parseLanguage(c.Value); ok {
			return l, false
		}
	}
	tags, _, err := xlanguage.ParseAcceptLanguage(r.Header.Get("Accept-Language"))
	if err != nil || len(tags) == 0 {
		return english, false
	}
	_, i, confidence := matcher.Match(tags...)
	if confidence == xlanguage.No {
		return english, false
	}
	return language(i), false //nolint:gosec // an index of a list of two
}

func parseLanguage(s string) (language, bool) {
	switch s {
	case "en":
		return english, true
	case "fr":
		return french, true
	}
	return english, false
}

// keep remembers a language that was chosen.
func (l language) keep(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // G124: Secure follows the request, for plain HTTP on loopback
		Name: languageCookie, Value: l.Code(), Path: "/", MaxAge: 365 * 24 * 3600,
		HttpOnly: true, Secure: secure(r), SameSite: http.SameSiteStrictMode,
	})
}

// say gives a phrase in the language. A phrase that is missing shows its key, so that it is seen.
func (l language) say(key string, args ...any) string {
	both, ok := words[key]
	if !ok {
		return key
	}
	if len(args) == 0 {
		return both[l]
	}
	return fmt.Sprintf(both[l], args...)
}

// sayOr gives a word for a value of the machine (a state, a reason), or the value itself when there is no word for it.
func (l language) sayOr(group, value string) string {
	if both, ok := words[group+"."+value]; ok {
		return both[l]
	}
	return strings.ReplaceAll(value, "_", " ")
}
