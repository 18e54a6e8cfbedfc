package providers

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"

	growth "github.com/zakibelm/astrogrowth"
)

var decimals = cmp.Comparer(func(a, b decimal.Decimal) bool { return a.Equal(b) })

func price(prompt, completion string) Price {
	return Price{Prompt: decimal.RequireFromString(prompt), Completion: decimal.RequireFromString(completion)}
}

func TestOpenRouterCatalogue(t *testing.T) {
	t.Parallel()
	body := `{"data":[
		{"id":"openai/gpt-4o-mini","canonical_slug":"openai/gpt-4o-mini-2024-07-18","context_length":128000,"expiration_date":"2026-12-01",
		 "pricing":{"prompt":"0.00000015","completion":"0.0000006","input_cache_read":"0.000000075"},"supported_parameters":["tools","structured_outputs"]},
		{"id":"openrouter/auto","pricing":{"prompt":"-1","completion":"-1"},"context_length":null,"expiration_date":null,"supported_parameters":null},
		{"id":"odd/one","pricing":"free","context_length":"8192"},
		{"name":"no id"}, 17],"total_count":4}`
	got, err := brands()[0].reply(t, 200, body).Models(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	mini := price("0.15", "0.6")
	mini.Cached = new(decimal.RequireFromString("0.075"))
	want := []Model{
		{
			ID: "openai/gpt-4o-mini", Canonical: "openai/gpt-4o-mini-2024-07-18", ContextLength: 128000, Price: mini, PriceKnown: true,
			Expires: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC), Structured: true,
		},
		{ID: "openrouter/auto"},
		{ID: "odd/one", ContextLength: 8192},
	}
	if diff := cmp.Diff(want, got, decimals); diff != "" {
		t.Errorf("models differ (-want +got):\n%s", diff)
	}
}

func TestHuggingFaceCatalogue(t *testing.T) {
	t.Parallel()
	body := `{"object":"list","data":[
		{"id":"org/two","providers":[
			{"provider":"a","status":"live","context_length":8192,"pricing":{"input":0.1,"output":0.2},"supports_structured_output":true},
			{"provider":"b","status":"live","context_length":4096,"pricing":{"input":0.3,"output":0.4}},
			{"provider":"c","status":"error","context_length":1,"pricing":{"input":9,"output":9}}]},
		{"id":"org/one","providers":[{"provider":"a","status":"live","is_free":true}]},
		{"id":"org/dead","providers":[{"provider":"c","status":"error"}]},
		{"id":"org/none"}]}`
	got, err := brands()[1].reply(t, 200, body).Models(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []Model{
		{ID: "org/two", ContextLength: 4096}, // which host answers is not known, so neither is the price
		{ID: "org/two:a", ContextLength: 8192, Price: price("0.1", "0.2"), PriceKnown: true, Structured: true},
		{ID: "org/two:b", ContextLength: 4096, Price: price("0.3", "0.4"), PriceKnown: true},
		{ID: "org/one", PriceKnown: true},
		{ID: "org/one:a", PriceKnown: true},
	}
	if diff := cmp.Diff(want, got, decimals); diff != "" {
		t.Errorf("models differ (-want +got):\n%s", diff)
	}
}

func TestOllamaCatalogue(t *testing.T) {
	t.Parallel()
	body := `{"models":[{"name":"llama3.2:3b","details":{"context_length":131072}},{"name":"phi3:mini","details":{}},
		{"name":"gpt-oss:120b-cloud"},{"name":"x:latest","remote_host":"https://ollama.com"}]}`
	got, err := ollamaBrand().reply(t, 200, body).Models(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []Model{
		{ID: "llama3.2:3b", ContextLength: 131072, PriceKnown: true, Structured: true},
		{ID: "phi3:mini", PriceKnown: true, Structured: true},
	}
	if diff := cmp.Diff(want, got, decimals); diff != "" {
		t.Errorf("models differ (-want +got):\n%s", diff)
	}
}

func TestCatalogueFaultsAreClassified(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b brand) {
		for status, code := range map[int]growth.Code{401: growth.KeyRejected, 503: growth.Unavailable, 200: growth.Malformed} {
			_, err := b.reply(t, status, `not a list`).Models(t.Context())
			if e := failure(t, err); e.Code != code || e.Op != b.name+".Models" {
				t.Errorf("%d: code %v, op %q", status, e.Code, e.Op)
			}
		}
	})
}
