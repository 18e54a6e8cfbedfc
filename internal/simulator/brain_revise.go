package simulator

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// faultsOf is what a reviewer's remarks ask for.
type faultsOf struct {
	banned   []string // words that have to go, folded
	tooLong  bool
	tooShort bool
	rewrite  bool // it sounds like another post, or is in the wrong language
}

var quotedWords = regexp.MustCompile(`"([^"]+)"|«\s*([^»]+?)\s*»|“([^”]+)”|'([^']{2,})'|` + "`([^`]+)`" + `|(\d[\d.,  ]*\d\s*%?|\d\s*%?)`)

// readFaultsOf understands remarks in either language. What stands in quotation marks is to be removed, and so are
// numbers, unless the remark is about length.
func readFaultsOf(remarks []string) faultsOf {
	var f faultsOf
	for _, r := range remarks {
		t := fold(r)
		isLength := strings.Contains(t, "character") || strings.Contains(t, "caractere") || strings.Contains(t, "length") || strings.Contains(t, "longueur")
		long := strings.Contains(t, "long") || strings.Contains(t, "exceed") || strings.Contains(t, "depass") || strings.Contains(t, "more than") || strings.Contains(t, "plus de")
		short := strings.Contains(t, "too short") || strings.Contains(t, "trop court") || strings.Contains(t, "at least") || strings.Contains(t, "au moins")
		switch {
		case strings.Contains(t, "hashtag"), strings.Contains(t, "mot-clic"):
			continue // the number of hashtags is always put right
		case strings.Contains(t, "language"), strings.Contains(t, "langue"), strings.Contains(t, "similar"), strings.Contains(t, "semblable"),
			strings.Contains(t, "proche"), strings.Contains(t, "close to"), strings.Contains(t, "near copy"), strings.Contains(t, "repeat"), strings.Contains(t, "deja publie"):
			f.rewrite = true
			continue
		case short:
			f.tooShort, f.rewrite = true, true
			continue
		case isLength || strings.HasPrefix(t, "too long") || strings.Contains(t, "trop long"):
			f.tooLong = f.tooLong || long || isLength
			continue
		}
		for _, m := range quotedWords.FindAllStringSubmatch(r, -1) {
			for _, g := range m[1:] {
				if g = strings.TrimSpace(fold(g)); g != "" {
					f.banned = append(f.banned, g)
				}
			}
		}
	}
	return f
}

// forbidden says whether a text holds what the brand or the reviewer does not want to read.
func (w *writing) forbidden(text string, faults faultsOf) bool {
	own := wordsOf(text)
	for _, list := range [][]string{w.house.Brand.Banned, w.house.Brand.Avoid, faults.banned} {
		for _, b := range list {
			if find(own, wordsOf(b)) >= 0 {
				return true
			}
		}
	}
	return strings.ContainsAny(text, "{}") || strings.Contains(text, "[") && strings.Contains(text, "_1]")
}

// revise takes out of the draft what was found wrong with it. A draft of which too little is left is written anew.
func (w *writing) revise(d draft, faults faultsOf) draft {
	var paragraphs []string
	for p := range strings.SplitSeq(d.Body, "\n\n") {
		var kept []string
		for _, s := range sentences(p) {
			if !w.forbidden(s, faults) {
				kept = append(kept, s)
			}
		}
		if len(kept) > 0 {
			paragraphs = append(paragraphs, strings.Join(kept, " "))
		}
	}
	limit := orDefault(w.house.Rules.MaxChars, 3000)
	if faults.tooLong {
		limit = min(limit, utf8.RuneCountInString(d.Body)*2/3)
	}
	// The first paragraph is the hook and the last the invitation: what is dropped comes from between them.
	for len(paragraphs) > 2 && length(paragraphs, "") > limit {
		i := len(paragraphs) - 2
		paragraphs = append(paragraphs[:i], paragraphs[i+1:]...)
	}
	if n := length(paragraphs, ""); n > limit+2 || (n < 200 && !faults.tooLong) {
		return w.compose(faults)
	}
	out := draft{
		Title: d.Title, Body: strings.Join(paragraphs, "\n\n"), Hashtags: w.hashtags(faults),
		ImagePrompt: orText(d.ImagePrompt, w.imagePrompt()),
	}
	if out.Title == "" || w.forbidden(out.Title, faults) {
		out.Title = w.title(faults)
	}
	return out
}

var (
	straightQuotes = regexp.MustCompile(`"([^"\n]+)"`)
	beforeColon    = regexp.MustCompile(`(\p{L}) ?:(\s)`)
	beforeHigh     = regexp.MustCompile(`([\p{L}\p{N}])[ \x{00a0}\x{202f}]?([;!?])(\s|$)`)
	openGuillemet  = regexp.MustCompile(`«[ \x{00a0}\x{202f}]?`)
	beforeUnit     = regexp.MustCompile(`(\d) ([%$€])`)
	closeGuillemet = regexp.MustCompile(`[ \x{00a0}\x{202f}]?»`)
)

// typeset gives French its quotation marks and the spaces that no line may break at. Québec writes none before the
// tall signs of punctuation, France a narrow one.
func (w *writing) typeset(text string) string {
	if !w.french() {
		return text
	}
	text = straightQuotes.ReplaceAllString(text, "« $1 »")
	text = openGuillemet.ReplaceAllString(text, "«\u00a0")
	text = closeGuillemet.ReplaceAllString(text, "\u00a0»")
	text = beforeUnit.ReplaceAllString(text, "$1\u00a0$2")
	text = beforeColon.ReplaceAllString(text, "$1\u00a0:$2")
	if strings.HasPrefix(w.language(), "fr-ca") || w.language() == "fr" {
		return beforeHigh.ReplaceAllString(text, "$1$2$3")
	}
	return beforeHigh.ReplaceAllString(text, "$1\u202f$2$3")
}
