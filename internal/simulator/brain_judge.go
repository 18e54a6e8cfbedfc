package simulator

import (
	"encoding/json"
	"math"
	"regexp"
	"strings"
)

// verdict is the task of holding a post against its brief.
type verdict struct {
	brief  brief
	post   draft
	known  []string // sentences of the brief
	stems  []string // of the brief
	nums   map[string]bool
	french bool // the language to name problems in
}

// readVerdict returns nil when one of the two is not JSON.
func readVerdict(system, briefText, postText string) task {
	v := &verdict{nums: map[string]bool{}, french: frenchAsked.MatchString(system)}
	if json.Unmarshal([]byte(briefText), &v.brief) != nil || json.Unmarshal([]byte(postText), &v.post) != nil {
		return nil
	}
	all := v.brief.everything()
	v.known, v.stems = sentences(all), stems(all)
	for _, n := range numbersIn(all) {
		v.nums[n] = true
	}
	return v
}

var (
	digits = regexp.MustCompile(`\d+(?:[.,  ]\d+)*`)
	urls   = regexp.MustCompile(`https?://\S+|www\.\S+`)
)

// numbersIn lists the numbers of a text, written alike.
func numbersIn(text string) []string {
	var out []string
	for _, n := range digits.FindAllString(text, -1) {
		out = append(out, strings.NewReplacer(",", ".", " ", "", "\u00a0", "", "\u202f", "").Replace(n))
	}
	return out
}

// boldWords turn an opinion into a claim that somebody has to be able to prove.
var boldWords = wordSet(`best leading leader guarantee guaranteed guarantees proven certified award winning cheapest fastest unbeatable free
meilleur meilleure meilleurs garanti garantie garantis garantit prouve prouvee certifie certifiee prime primee gratuit gratuite imbattable`)

// perform judges sentence by sentence. What claims nothing is not counted.
func (v *verdict) perform() any {
	claims, problems := []any{}, []any{}
	supported := 0
	for _, s := range sentences(urls.ReplaceAllString(v.post.Title+".\n"+v.post.Body, "")) {
		isClaim, ok, evidence, fault := v.weigh(s)
		if !isClaim {
			continue
		}
		claims = append(claims, map[string]any{"claim": s, "supported": ok, "evidence": evidence})
		if ok {
			supported++
		} else {
			problems = append(problems, fault)
		}
	}
	score := 60.0
	if len(claims) > 0 {
		share := float64(supported) / float64(len(claims))
		score = 40*share + 55*share*share
	}
	toneOK := v.toneOK()
	if !toneOK {
		score -= 20
		problems = append(problems, v.say("le ton n’est pas celui qui est demandé\u00a0: ", "the tone is not the one asked for: ")+v.brief.Tone)
	}
	if overlap(stems(v.brief.Topic), stems(v.post.Title+" "+v.post.Body)) == 0 && v.brief.Topic != "" {
		score -= 30
		problems = append(problems, v.say("le texte ne parle pas du sujet\u00a0: ", "the post does not speak of the topic: ")+v.brief.Topic)
	}
	return map[string]any{
		"claims": claims, "tone_ok": toneOK, "score": int(math.Round(max(0, min(100, score)))), "problems": problems[:min(len(problems), 5)],
	}
}

func (v *verdict) say(french, english string) string {
	if v.french {
		return french
	}
	return english
}

// weigh says whether a sentence claims something, whether the brief bears it out, and where.
func (v *verdict) weigh(s string) (isClaim, ok bool, evidence, fault string) {
	words := wordsOf(s)
	for _, n := range numbersIn(s) {
		if !v.nums[n] {
			return true, false, "", v.say("ce nombre n’est pas dans la demande\u00a0: ", "this number is not in the brief: ") + `"` + n + `". ` + s
		}
	}
	own := stems(s)
	if len(own) == 0 {
		return false, false, "", ""
	}
	shared := overlap(own, v.stems)
	for _, w := range words {
		if boldWords[w.fold] && !holds(v.stems, w.stem) {
			return true, false, "", v.say("la demande n’affirme pas ceci\u00a0: ", "the brief does not claim this: ") + `"` + s[w.from:w.to] + `". ` + s
		}
	}
	if shared*4 >= len(own) && shared > 0 {
		return true, true, v.evidence(own), ""
	}
	return false, false, "", ""
}

// evidence is the sentence of the brief that shares the most words with the claim.
func (v *verdict) evidence(own []string) string {
	best, most := "", 0
	for _, k := range v.known {
		if n := overlap(own, stems(k)); n > most {
			best, most = k, n
		}
	}
	return best
}

var formalTone = []string{"formal", "formel", "professional", "professionnel", "sober", "sobre", "expert", "serious", "serieux"}

// toneOK holds a sober tone against shouting; other tones forgive it.
func (v *verdict) toneOK() bool {
	if overlap(stems(v.brief.Tone), formalTone) == 0 {
		return true
	}
	text := v.post.Body
	return !strings.Contains(text, "!!") && strings.Count(text, "!") <= 2 && !strings.ContainsFunc(text, isEmoji)
}

func isEmoji(r rune) bool { return r >= 0x1F300 && r <= 0x1FAFF }
