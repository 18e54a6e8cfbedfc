package content

import (
	"fmt"
	"strings"
	"unicode"
)

// FoldChars is how much of a post is seen before "see more".
const FoldChars = 210

// hook asks that the first thing said ends before the fold, so that it is not cut, and that it says something.
func hook(p piece) string {
	body := p.draft.Body
	if body == "" {
		return ""
	}
	first := firstSentence(body)
	switch {
	case strings.HasPrefix(first, "#") || strings.HasPrefix(first, "http"):
		return "the post opens with a hashtag or a link instead of a sentence"
	case Length(first) > FoldChars:
		return fmt.Sprintf("the first sentence has %d characters; the fold cuts it at %d", Length(first), FoldChars)
	case len(words(first)) < 2 && Length(body) > FoldChars:
		return "the first line says nothing that makes a reader open the post"
	}
	return ""
}

// firstSentence ends at a line break or at closing punctuation that a space follows.
func firstSentence(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	runes := []rune(line)
	for i, r := range runes {
		if strings.ContainsRune(".!?…", r) && (i+1 == len(runes) || unicode.IsSpace(runes[i+1])) {
			return string(runes[:i+1])
		}
	}
	return line
}
