package providers

import "strings"

// choosers are the words behind a slug by which the routers choose among the hosts of one model; their lists name the
// model without them.
var choosers = []string{":nitro", ":floor", ":exacto", ":online", ":fastest", ":cheapest", ":preferred"}

// ListedAs gives the names, beside the slug itself, under which a provider's list may have the model that a slug asks
// for: without a word that only chooses among its hosts, and with the tag that Ollama adds.
func ListedAs(slug string) []string {
	var names []string
	for _, word := range choosers {
		if bare, ok := strings.CutSuffix(slug, word); ok {
			names = append(names, bare)
		}
	}
	if !strings.Contains(slug, ":") && !strings.Contains(slug, "/") {
		names = append(names, slug+":latest")
	}
	return names
}
