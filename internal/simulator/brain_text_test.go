package simulator

import (
	"strings"
	"testing"
)

func TestArithmetic(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ ask, want string }{
		{"What is 2+2? Just answer with the number.", "4"},
		{"What is 17 * 23? Answer with just the number", "391"},
		{"Combien font 12,5 + 0? Seulement le nombre.", "125 + 0"}, // a comma groups thousands here
		{"Combien font (3 + 4) * 2 ? Réponds uniquement par le nombre.", "14"},
		{"2+2", "2+2 = 4"},
		{"Calculate 10 / 4", "10 / 4 = 2.5"},
		{"what is 1/3? only the number", "0.333333333333"},
		{"What is 0.1 + 0.2? just the number", "0.3"},
		{"What is five? 7 times 8", "7 * 8 = 56"},
		{"12 divisé par 5", "12 / 5 = 2.4"},
		{"How much is -3 - -4? Only the number", "1"},
		{"What is 3 x 4? Just the number.", "12"},
		{"what is 1/0? just the number", "undefined"},
		{"2 * (3 + 4) - 5 / (1 + 1)", "2 * (3 + 4) - 5 / (1 + 1) = 11.5"},
	} {
		got := chatter(tc.ask)
		if tc.want == "125 + 0" {
			tc.want = "125"
		}
		if got != tc.want {
			t.Errorf("chatter(%q) = %q, want %q", tc.ask, got, tc.want)
		}
	}
	for _, text := range []string{
		"Our launch is on 2026-11-23 and the room is booked for everybody who comes.", "Call 514-555-0199 about the garden.", "", "a+b",
		"2+", strings.Repeat("(", 500) + "1+1", "9" + strings.Repeat("*9", 5000),
	} {
		if _, result, ok := arithmetic(text); ok {
			t.Errorf("arithmetic(%.40q) = %s", text, result)
		}
	}
}

func TestFreeAnswers(t *testing.T) {
	t.Parallel()
	a, b := chatter("Why do bakeries open so early?"), chatter("How can a plumber find customers?")
	if a == b || !strings.Contains(a, "bakeries") || !strings.Contains(b, "plumber") {
		t.Errorf("answers = %q, %q", a, b)
	}
	if fr := chatter("Comment une boulangerie peut-elle trouver des clients dans le quartier ?"); !isFrench(fr) || !strings.Contains(fr, "boulangerie") {
		t.Errorf("answer = %q", fr)
	}
	sum := chatter("Summarize this text:\nThe bakery opened in May. It sells bread and cakes to the neighbourhood. The weather was fine. The owner bakes bread for the neighbourhood every night.")
	if !strings.Contains(sum, "bakery") || strings.Contains(sum, "weather") || strings.Contains(sum, "Summarize") {
		t.Errorf("summary = %q", sum)
	}
	if chatter("hi") == "" || chatter("") == "" {
		t.Error("an answer of nothing")
	}
}

func TestAnswersEnd(t *testing.T) {
	t.Parallel()
	ask := []turn{{Role: "user", Content: "Tell me about opening a bakery in spring."}}
	whole := answer(question{turns: ask})
	cut := answer(question{turns: ask, maxTokens: 3})
	if cut.finish != "length" || tokens(cut.text) != 3 || !strings.HasPrefix(whole.text, cut.text) || whole.finish != "stop" {
		t.Errorf("cut = %+v of %+v", cut, whole)
	}
	word := strings.Fields(whole.text)[3]
	if s := answer(question{turns: ask, stop: []string{"@@", word}}); strings.Contains(s.text, word) || s.finish != "stop" {
		t.Errorf("stopped = %+v", s)
	}
	j := answer(question{turns: leadTurns(map[string]string{"business_type": "Café"}), maxTokens: 10})
	if j.finish != "length" || !strings.HasPrefix(j.text, "{") || tokens(j.text) != 10 {
		t.Errorf("cut JSON = %+v", j)
	}
	if o := answer(question{turns: ask, jsonMode: true}); !strings.HasPrefix(o.text, `{"answer":`) {
		t.Errorf("JSON mode = %q", o.text)
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]int{"": 0, "a": 1, "abcd": 1, "abcde": 2, "éééé": 1} {
		if got := tokens(s); got != want {
			t.Errorf("tokens(%q) = %d, want %d", s, got, want)
		}
	}
	if head, cut := firstTokens("éééééé", 1); head != "éééé" || !cut {
		t.Errorf("firstTokens = %q %v", head, cut)
	}
}
