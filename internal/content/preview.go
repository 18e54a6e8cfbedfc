package content

import (
	"unicode"
	"unicode/utf16"
)

// Preview is a post as LinkedIn shows it in the feed.
type Preview struct {
	Text       string `json:"text" doc:"What is posted: the body and the hashtags"`
	Characters int    `json:"characters" doc:"As LinkedIn counts, at most 3000"`
	AboveFold  string `json:"above_fold" doc:"What is seen before \"see more\""`
	BelowFold  string `json:"below_fold" doc:"Empty: nothing is hidden"`
}

// PreviewOf folds a draft where LinkedIn does.
func PreviewOf(d Draft) Preview {
	text := Text(d)
	above, below := Fold(text)
	return Preview{Text: text, Characters: Length(text), AboveFold: above, BelowFold: below}
}

// Fold parts a text at the fold, in front of a sign that would lose its marks there.
func Fold(text string) (above, below string) {
	n, cut := 0, 0
	for i, r := range text {
		if !unicode.Is(unicode.M, r) && r != '\u200d' {
			cut = i
		}
		if n += utf16.RuneLen(r); n > FoldChars {
			return text[:cut], text[cut:]
		}
	}
	return text, ""
}
