package simulator

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestCarelessModelMakesTheMistakeItIsToldTo(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ hint, message, french, english string }{
		{HintNumber, "", "9\u00a0417", "9,417"},
		{HintBanned, "", "garantis", "Guaranteed"},
		{HintBanned, "sans danger", "sans danger", "sans danger"},
		{HintPlaceholder, "", "[Votre nom]", "[Your name]"},
		{HintForeign, "", "Come and see", "Venez nous voir"},
		{HintCopy, "the same again", "the same again", "the same again"},
		{HintApology, "", "modèle de langage", "language model"},
	} {
		for language, want := range map[string]string{"fr-CA": tc.french, "en-CA": tc.english} {
			turns := contentTurns(plainHouse, obj{"topic": "Une terrasse", "language": language})
			q := question{turns: turns, careless: &FaultParams{Hint: tc.hint, Message: tc.message}}
			var d draft
			if err := json.Unmarshal([]byte(answer(q).text), &d); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(d.Body, want) || (tc.hint == HintCopy) != (d.Body == want) {
				t.Errorf("%s in %s: %q lacks %q", tc.hint, language, d.Body, want)
			}
		}
	}
}

func TestCarelessModelJudgesAsEver(t *testing.T) {
	t.Parallel()
	turns := []turn{{Role: "system", Content: "You judge."}, {Role: "user", Content: "BRIEF-77 BEGIN\n{\"topic\":\"a\"}\nBRIEF-77 END\nPOST-78 BEGIN\n{\"body\":\"b\"}\nPOST-78 END"}}
	sober, other := answer(question{turns: turns}), answer(question{turns: turns, careless: &FaultParams{Hint: HintNumber}})
	if sober != other {
		t.Errorf("sober %s\ncareless %s", sober.text, other.text)
	}
}
