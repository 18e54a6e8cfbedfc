package content

import "fmt"

// MaxChars is how long a post may be, in UTF-16 units, hashtags included.
const MaxChars = 3000

func length(p piece) string {
	if p.draft.Body == "" {
		return "the post has no text"
	}
	if n := Length(p.text); n > MaxChars {
		return fmt.Sprintf("the post has %d characters with its hashtags, at most %d are taken", n, MaxChars)
	}
	return ""
}
