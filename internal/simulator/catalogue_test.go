package simulator

import (
	"testing"
)

func TestCatalogue(t *testing.T) {
	t.Parallel()
	c := builtinCatalogue()
	seen := map[string]bool{}
	for _, m := range c.OpenRouter {
		if seen[m.ID] || m.Context <= 0 || m.Prompt.IsNegative() || (m.Gone == "" && m.Host == "") {
			t.Errorf("model %+v", m)
		}
		seen[m.ID] = true
		if m.Means != "" && (c.routerModel(m.Means) == nil || c.routerModel(m.Means).Gone != "") {
			t.Errorf("%s means %s, which is not served", m.ID, m.Means)
		}
	}
	for _, m := range c.HuggingFace {
		if seen[m.ID] || (m.Gone == "") != (len(m.Hosts) > 0) {
			t.Errorf("model %+v", m)
		}
		seen[m.ID] = true
	}
	for slug, want := range map[string]string{
		"openai/gpt-4o-mini:floor": gpt, "openai/gpt-4o-mini-2024-07-18": gpt, "~anthropic/claude-sonnet-latest": "anthropic/claude-sonnet-5",
		"openai/gpt-oss-20b:free": "openai/gpt-oss-20b:free",
	} {
		if m := c.routerModel(slug); m == nil || m.ID != want {
			t.Errorf("routerModel(%q) = %+v, want %s", slug, m, want)
		}
	}
	for _, slug := range []string{"", "gpt-4o-mini", "openai/gpt-4o-mini:free"} {
		if m := c.routerModel(slug); m != nil {
			t.Errorf("routerModel(%q) = %s", slug, m.ID)
		}
	}
}
