package simulator

import (
	"unicode/utf8"
)

const charsPerToken = 4

// tokens estimates how many tokens a text has. Requests, answers and the book all count with it, so that they agree.
func tokens(s string) int { return (utf8.RuneCountInString(s) + charsPerToken - 1) / charsPerToken }

// turnTokens is what every message costs beside its text.
const turnTokens = 3

// promptTokens counts a whole conversation.
func promptTokens(turns []turn) int {
	n := 0
	for _, t := range turns {
		n += tokens(t.Content) + turnTokens
	}
	return n
}

// firstTokens returns the part of s that n tokens hold, and whether that is less than all of it.
func firstTokens(s string, n int) (string, bool) {
	left := n * charsPerToken
	for i := range s {
		if left == 0 {
			return s[:i], true
		}
		left--
	}
	return s, false
}
