package content

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// How many hashtags a post carries.
const (
	MinHashtags = 3
	MaxHashtags = 5
)

const maxHashtag = 100

var (
	goodHashtag  = regexp.MustCompile(`^#[\p{L}\p{M}\p{N}_]*[\p{L}][\p{L}\p{M}\p{N}_]*$`)
	hashtagInRun = regexp.MustCompile(`(?:^|[\s(])#([\p{L}\p{M}\p{N}_]*\p{L}[\p{L}\p{M}\p{N}_]*)`)
)

// bodyHashtags gives the hashtags that stand in a text, folded.
func bodyHashtags(s string) []string {
	var out []string
	for _, m := range hashtagInRun.FindAllStringSubmatch(s, -1) {
		if f := fold(m[1]); !slices.Contains(out, f) {
			out = append(out, f)
		}
	}
	return out
}

func hashtags(p piece) string {
	seen := bodyHashtags(p.draft.Body)
	var own []string
	for _, h := range p.draft.Hashtags {
		if !goodHashtag.MatchString(h) || Length(h) > maxHashtag {
			return fmt.Sprintf("%q is no hashtag: letters, digits and _ only, without spaces", h)
		}
		f := fold(h)
		if slices.Contains(own, f) {
			return fmt.Sprintf("the hashtag %s comes twice", h)
		}
		own = append(own, f)
		if !slices.Contains(seen, f) {
			seen = append(seen, f)
		}
	}
	if n := len(seen); n < MinHashtags || n > MaxHashtags {
		return fmt.Sprintf("the post has %d hashtags, it needs %d to %d", n, MinHashtags, MaxHashtags)
	}
	return missingHashtags(p.brief.Hashtags, seen)
}

// missingHashtags names those that the brief asks for and the post lacks, as far as a post has room for them.
func missingHashtags(asked, seen []string) string {
	var missing []string
	have := 0
	for _, a := range asked {
		f := strings.ReplaceAll(fold(a), " ", "")
		if f == "" {
			continue
		}
		if slices.ContainsFunc(seen, func(s string) bool { return strings.ReplaceAll(s, " ", "") == f }) {
			have++
		} else {
			missing = append(missing, "#"+strings.TrimLeft(a, "#"))
		}
	}
	if len(missing) == 0 || have >= MaxHashtags {
		return ""
	}
	return "the brief asks for " + list(missing)
}
