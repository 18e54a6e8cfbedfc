package linkedin

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestEscape(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"plain text, nothing to do":  "plain text, nothing to do",
		"Join us (free) #golang":     `Join us \(free\) #golang`,
		`a\b`:                        `a\\b`,
		"#AI_tools":                  `#AI\_tools`,
		"C# and #1 and ##x":          `C\# and \#1 and \#\#x`,
		"(#tag), «#équipe»":          `\(#tag\), «#équipe»`,
		"https://x.ca/a_b#part":      `https://x.ca/a\_b\#part`,
		"@[Ada](urn:li:person:1)":    `\@\[Ada\]\(urn:li:person:1\)`,
		"{hashtag|\\#|x}":            `\{hashtag\|\\\#\|x\}`,
		"* point\n~ <b>":             "\\* point\n\\~ \\<b\\>",
		"#2026bilan":                 "#2026bilan",
		"#":                          `\#`,
		"une ligne\n#motclic ce #2é": "une ligne\n#motclic ce #2é",
	} {
		if got := Commentary(text, nil); got != want {
			t.Errorf("Escape(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestLength(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{"": 0, "abc": 3, "é": 1, "😀": 2, "👩‍🚀": 5, "\xff": 1} {
		if got := Length(text); got != want {
			t.Errorf("Length(%q) = %d, want %d", text, got, want)
		}
	}
}

// readLittle is what a reader of the little text format sees: plain characters, backslash pairs, and hashtags. Any
// other reserved character is an error here and cuts the post on LinkedIn.
func readLittle(text string) (plain string, hashtags []string, err error) {
	var out, tag strings.Builder
	inTag := false
	end := func() {
		if inTag {
			hashtags = append(hashtags, tag.String())
		}
		inTag = false
		tag.Reset()
	}
	for rest := text; rest != ""; {
		r, size := utf8.DecodeRuneInString(rest)
		rest = rest[size:]
		switch {
		case r == '\\':
			escaped, size := utf8.DecodeRuneInString(rest)
			if rest == "" || !strings.ContainsRune(reserved, escaped) {
				return "", nil, errors.New("a backslash before nothing that is reserved")
			}
			rest = rest[size:]
			if inTag && escaped != '_' {
				end()
			}
			if inTag {
				tag.WriteRune(escaped)
			}
			out.WriteRune(escaped)
		case r == '#':
			end()
			inTag = true
			out.WriteRune(r)
		case strings.ContainsRune(reserved, r):
			return "", nil, errors.New("bare " + string(r))
		default:
			if inTag && strings.ContainsRune(" \n\t,;.!?\"'«»“”‘’", r) {
				end()
			}
			if inTag {
				tag.WriteRune(r)
			}
			out.WriteRune(r)
		}
	}
	end()
	return out.String(), hashtags, nil
}

func TestHashtagsStayClickable(t *testing.T) {
	t.Parallel()
	_, tags, err := readLittle(Commentary("Une (belle) journée #Montréal, #AI_tools\n#café! Pas #1 ni C#.", nil))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(tags, " "), "Montréal AI_tools café"; got != want {
		t.Errorf("hashtags = %q, want %q", got, want)
	}
}

// FuzzEscape holds for any text: what a reader of the format sees is the text, and no hashtag is empty.
func FuzzEscape(f *testing.F) {
	for _, seed := range []string{"", `\|{}@[]()<>#*_~`, "#a #b", "C#", "##", "#\\", "é😀#x", "@[n](urn:li:person:1)", "a\x00\xff#b", "#_a", "#1a"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, tags, err := readLittle(Commentary(text, nil))
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if want := strings.ToValidUTF8(strings.Join(strings.Split(text, ""), ""), "\uFFFD"); utf8.ValidString(text) && got != want {
			t.Errorf("reads as %q, want %q", got, want)
		}
		for _, tag := range tags {
			if tag == "" {
				t.Errorf("%q: a bare # that is no hashtag", text)
			}
		}
		if Length(text) < utf8.RuneCountInString(text) {
			t.Errorf("%q: shorter than its characters", text)
		}
	})
}
