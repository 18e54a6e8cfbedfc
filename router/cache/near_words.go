package cache

// spellings maps a word to the other way in which people write it. Hyphens in general are no matter of spelling: a
// man-eating fish is none that a man eats.
var spellings = map[string]string{
	"e-mail": "email", "e-mails": "emails", "e-mailing": "emailing", "courriels": "courriels",
	"follow-up": "follow up", "follow-ups": "follow ups", "first-time": "first time",
	"on-line": "online", "web-site": "website", "web-sites": "websites",

	"two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8", "nine": "9", "ten": "10",
	"eleven": "11", "twelve": "12",
	"deux": "2", "trois": "3", "quatre": "4", "cinq": "5", "huit": "8", "dix": "10", "onze": "11", "douze": "12",
}

// caseMatters has words that are another word in capitals.
var caseMatters = set(
	"us", "it", "who", "or", "in", "me", "un", "am", "pm", "aids", "hr", "pr", "ai", "un", "est", "et", "ca", "la", "va", "de", "id", "ok", "ma",
	"may", "march", "polish", "china", "turkey", "apple", "target", "nice", "reading", "mobile", "job", "bill", "mark", "will", "august", "amazon",
	"orange", "shell", "gap", "visa", "square", "meta", "stripe", "notion",
)

// imperatives are the verbs that a reordered request can begin with, and "email copy".
var imperatives = set(
	"write", "list", "describe", "draft", "give", "suggest", "generate", "create", "summarize", "summarise", "email", "outline", "prepare", "compose",
	"propose", "provide",
)

// movable are the prepositions whose phrases may stand in any order.
var movable = set("for", "about", "on")

// determiners begin what the verb asks for.
var determiners = set("the", "our", "my", "this", "these", "your")

// bound are words that tie phrases together or to a place: with one of them nothing moves.
var bound = set(
	"and", "or", "but", "nor", "then", "that", "which", "who", "whom", "whose", "what", "where", "when", "while", "how", "why", "if", "because", "than", "as",
	"to", "with", "without", "from", "into", "of", "by", "in", "at", "before", "after", "over", "under", "between", "against", "until", "since", "instead",
	"not", "no", "never", "none", "nobody", "nothing", "only", "except", "don't", "doesn't", "isn't", "is", "are", "was", "were", "be", "do", "does", "did",
	"has", "have", "had", "can", "will", "must", "should", "so", "too", "also", "both", "either", "neither", "each", "it", "they", "them", "he", "she", "him",
	"her", "his", "their", "its",
)

// attributes are what a two-word phrase between commas can set: "friendly tone".
var attributes = set("tone", "style", "voice", "length", "format", "audience", "language")

func set(words ...string) map[string]bool {
	out := make(map[string]bool, len(words))
	for _, w := range words {
		out[w] = true
	}
	return out
}
