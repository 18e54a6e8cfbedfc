package providers

import (
	"testing"

	"github.com/shopspring/decimal"

	growth "github.com/zakibelm/astrogrowth"
)

func TestPriceList(t *testing.T) {
	t.Parallel()
	list := prices()
	if list.Version != PriceVersion {
		t.Errorf("the list is of %q, PriceVersion says %q", list.Version, PriceVersion)
	}
	if len(list.Models["openrouter"]) == 0 {
		t.Error("no prices for openrouter")
	}
	for provider, models := range list.Models {
		for slug, p := range models {
			if p.Prompt.IsNegative() || p.Completion.LessThan(p.Prompt) {
				t.Errorf("%s/%s: %s in, %s out", provider, slug, p.Prompt, p.Completion)
			}
			if p.Cached != nil && p.Cached.GreaterThan(p.Prompt) {
				t.Errorf("%s/%s: cached tokens dearer than others", provider, slug)
			}
		}
	}
}

func TestPriceOf(t *testing.T) {
	t.Parallel()
	cases := []struct {
		provider, model string
		known           bool
		prompt          string
	}{
		{"openrouter", "openai/gpt-4o-mini", true, "0.15"},
		{"openrouter", "any/model:free", true, "0"},
		{"openrouter", "unheard/of", false, "0"},
		{"openrouter", "openai/gpt-4o-mini:nitro", false, "0"}, // a variant picks other hosts at other prices
		{"huggingface", "mistralai/Mistral-7B-Instruct-v0.3", false, "0"},
		{"huggingface", "org/model:free", false, "0"},
		{"ollama", "llama3.2:3b", true, "0"},
		{"elsewhere", "x", false, "0"},
	}
	for _, tc := range cases {
		p, known := PriceOf(tc.provider, tc.model)
		if known != tc.known || !p.Prompt.Equal(decimal.RequireFromString(tc.prompt)) {
			t.Errorf("PriceOf(%s, %s) = %s, %t", tc.provider, tc.model, p.Prompt, known)
		}
	}
}

func TestCostIsExact(t *testing.T) {
	t.Parallel()
	mini, _ := PriceOf("openrouter", "openai/gpt-4o-mini")
	sonnet, _ := PriceOf("openrouter", "anthropic/claude-sonnet-4")
	cases := []struct {
		name  string
		price Price
		usage growth.Usage
		want  string
	}{
		{"nothing", mini, growth.Usage{}, "0"},
		{"plain", mini, growth.Usage{PromptTokens: 20, CompletionTokens: 10}, "0.000009"},
		{"a third from the cache", mini, growth.Usage{PromptTokens: 30, CompletionTokens: 1, CachedTokens: 10}, "0.00000435"},
		{"reasoning is not added", mini, growth.Usage{CompletionTokens: 10, ReasoningTokens: 9}, "0.000006"},
		{"more cached than sent", mini, growth.Usage{PromptTokens: 10, CachedTokens: 99}, "0.00000075"},
		{"up to the long price", sonnet, growth.Usage{PromptTokens: 200000, CompletionTokens: 1000}, "0.615"},
		{"over it", sonnet, growth.Usage{PromptTokens: 200001, CompletionTokens: 1000}, "1.222506"},
		{"no cached price known", Price{Prompt: decimal.NewFromInt(3)}, growth.Usage{PromptTokens: 10, CachedTokens: 10}, "0.00003"},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if got := tc.price.Cost(tc.usage); !got.Equal(decimal.RequireFromString(tc.want)) {
				t.Errorf("cost = %s, want %s", got, tc.want)
			}
		})
	}
}
