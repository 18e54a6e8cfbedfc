package simulator

import (
	"encoding/json"
	"sort"
	"strings"
)

// brief is what a post is to be written from.
type brief struct {
	Topic    string         `json:"topic"`
	Brief    string         `json:"brief"`
	Audience string         `json:"audience"`
	Tone     string         `json:"tone"`
	CTA      string         `json:"cta"`
	Link     string         `json:"link"`
	Hashtags []string       `json:"hashtags"`
	Language string         `json:"language"`
	Business map[string]any `json:"business"`
	Variant  int            `json:"variant"`
	Faults   []string       `json:"faults"`
	Draft    *draft         `json:"draft"`
}

// draft is a post as the model writes it.
type draft struct {
	Title       string   `json:"title"`
	Body        string   `json:"body"`
	Hashtags    []string `json:"hashtags"`
	ImagePrompt string   `json:"image_prompt"`
}

// house is what the system prompt says about the brand and its rules.
type house struct {
	Brand struct {
		Name   string   `json:"name"`
		Use    []string `json:"use"`
		Avoid  []string `json:"avoid"`
		Banned []string `json:"banned"`
		Claims []struct {
			Text string `json:"text"`
		} `json:"claims"`
	} `json:"brand"`
	Rules struct {
		Language    string `json:"language"`
		MaxChars    int    `json:"max_chars"`
		HashtagsMin int    `json:"hashtags_min"`
		HashtagsMax int    `json:"hashtags_max"`
	} `json:"rules"`
}

// business returns a field of the business that the post is for.
func (b brief) business(path string) string {
	text, _ := scalarText(b.Business[path])
	return strings.TrimSpace(text)
}

// subject is what the post is about, in a few words.
func (b brief) subject() string {
	s := strings.TrimSpace(b.Topic)
	if s == "" {
		if all := sentences(b.Brief); len(all) > 0 {
			s = all[0]
		}
	}
	if s == "" {
		s = orText(b.business("business_type"), b.business("business_name"))
	}
	if r := []rune(s); len(r) > 140 {
		s = string(r[:140])
		if i := strings.LastIndexByte(s, ' '); i > 0 {
			s = s[:i]
		}
	}
	return strings.TrimRight(s, " .!?…,;:")
}

// everything is all that the brief says, as one text.
func (b brief) everything() string {
	parts := []string{b.Topic, b.Brief, b.Audience, b.CTA, b.Link, strings.Join(b.Hashtags, " ")}
	paths := make([]string, 0, len(b.Business))
	for p := range b.Business {
		paths = append(paths, p)
	}
	sort.Strings(paths)
	for _, p := range paths {
		parts = append(parts, b.business(p))
	}
	return strings.Join(parts, "\n")
}

// writing is the task of writing a post.
type writing struct {
	brief brief
	house house
}

// readWriting returns nil when the brief is not JSON.
func readWriting(system, text string) task {
	w := &writing{}
	if json.Unmarshal([]byte(text), &w.brief) != nil {
		return nil
	}
	jsonBlock(system, &w.house) // without one there is no brand to keep to
	return w
}

func (w *writing) french() bool {
	return strings.HasPrefix(strings.ToLower(orText(w.brief.Language, w.house.Rules.Language)), "fr")
}

// language is the full tag, which decides the typography.
func (w *writing) language() string {
	return strings.ToLower(orText(w.brief.Language, w.house.Rules.Language))
}

// perform writes the post, or mends the one that was found wanting.
func (w *writing) perform() any {
	faults := readFaultsOf(w.brief.Faults)
	var d draft
	if w.brief.Draft != nil && !faults.rewrite {
		d = w.revise(*w.brief.Draft, faults)
	} else {
		d = w.compose(faults)
	}
	d.Body = w.typeset(d.Body)
	d.Title = w.typeset(d.Title)
	return map[string]any{
		"title": d.Title, "body": d.Body, "hashtags": toAny(d.Hashtags), "image_prompt": d.ImagePrompt,
	}
}

func toAny(list []string) []any {
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = s
	}
	return out
}

// hashtags takes the brief's own first, then makes more of what the post is about.
func (w *writing) hashtags(faults faultsOf) []string {
	least, most := orDefault(w.house.Rules.HashtagsMin, 3), orDefault(w.house.Rules.HashtagsMax, 5)
	seen := map[string]bool{}
	out := []string{}
	add := func(tag string) {
		tag = strings.TrimLeft(strings.TrimSpace(tag), "#")
		key := fold(tag)
		if tag == "" || seen[key] || len(out) >= most || w.forbidden(tag, faults) {
			return
		}
		seen[key] = true
		out = append(out, "#"+tag)
	}
	for _, t := range w.brief.Hashtags {
		add(tagOf(t))
	}
	add(tagOf(w.brief.business("city")))
	for _, text := range []string{w.brief.Topic, w.brief.business("business_type"), w.brief.Brief} {
		for _, word := range wordsOf(text) {
			if len(out) < max(least, 4) && word.content() && len(word.fold) > 3 && !digitAt(word.fold, 0) {
				add(capital(text[word.from:word.to]))
			}
		}
	}
	spare := []string{"SmallBusiness", "Community", "Local", "Ideas", "Team"}
	if w.french() {
		spare = []string{"PME", "Quartier", "Communauté", "Idées", "Équipe"}
	}
	for _, t := range spare {
		if len(out) < least {
			add(t)
		}
	}
	return out
}

// tagOf joins the words of a text to one hashtag.
func tagOf(text string) string {
	var b strings.Builder
	for _, w := range wordsOf(text) {
		if b.Len() < 40 {
			b.WriteString(capital(text[w.from:w.to]))
		}
	}
	return b.String()
}

// imagePrompt describes a picture in English, the language that models of images are asked in.
func (w *writing) imagePrompt() string {
	place := orText(w.brief.business("business_type"), w.brief.business("business_name"))
	return `Bright, natural photo on the theme "` + w.brief.subject() + `"` + ifSet(", ", place, " setting") + ", no people, no text, no logo."
}
