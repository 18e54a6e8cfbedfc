package providers

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"

	growth "github.com/zakibelm/astrogrowth"
)

func TestGenerationTellsWhatARequestHasCost(t *testing.T) {
	t.Parallel()
	usage := growth.Usage{PromptTokens: 120, CompletionTokens: 40, TotalTokens: 160, CachedTokens: 100, ReasoningTokens: 30}
	counts := `"native_tokens_prompt":120,"native_tokens_completion":40,"native_tokens_cached":100,"native_tokens_reasoning":30`
	for _, tc := range []struct {
		name   string
		status int
		body   string
		cost   string
		code   growth.Code
	}{
		{"known", 200, `{"data":{"id":"gen-1","total_cost":0.000123,` + counts + `}}`, "0.000123", 0},
		{"the owner's own key", 200, `{"data":{"total_cost":0.01,"is_byok":true,"upstream_inference_cost":0.2,` + counts + `}}`, "0.21", 0},
		{"the owner's own key, and half of the truth", 200, `{"data":{"total_cost":0.01,"is_byok":true}}`, "", growth.NotFound},
		{"no cost yet", 200, `{"data":{"total_cost":null}}`, "", growth.NotFound},
		{"not stored yet", 404, `{"error":{"code":404,"message":"not found"}}`, "", growth.NotFound},
		{"a key that is dead", 401, `{"error":{"code":401,"message":"no"}}`, "", growth.KeyRejected},
		{"not JSON", 200, `<html>`, "", growth.Malformed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var asked string
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked = r.URL.String()
				w.WriteHeader(tc.status)
				_, _ = io.WriteString(w, tc.body)
			}))
			defer srv.Close()
			got, err := NewOpenRouter(Settings{BaseURL: srv.URL, Key: "k", HTTP: srv.Client()}).Generation(t.Context(), "gen-1 &x=2")
			if asked != "/generation?id=gen-1+%26x%3D2" {
				t.Errorf("asked %q", asked)
			}
			if tc.cost == "" {
				if err == nil || growth.CodeOf(err) != tc.code {
					t.Errorf("err = %v, want %v", err, tc.code)
				}
				return
			}
			if err != nil || !got.CostUSD.Equal(decimal.RequireFromString(tc.cost)) {
				t.Errorf("cost %s, %v; want %s", got.CostUSD, err, tc.cost)
			}
			if diff := cmp.Diff(usage, got.Usage); diff != "" {
				t.Errorf("usage (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPriceFilesAreChecked(t *testing.T) {
	t.Parallel()
	const head = `"version":"v","currency":"USD","per":"million tokens"`
	for body, ok := range map[string]bool{
		`{` + head + `,"models":{"openrouter":{"m":{"prompt":"1","completion":"2","cached":"0.1","request":"0.001"}}}}`: true,
		`{"currency":"USD","per":"million tokens","models":{}}`:                                                         false,
		`{"version":"v","currency":"CAD","per":"million tokens","models":{}}`:                                           false,
		`{"version":"v","currency":"USD","per":"token","models":{}}`:                                                    false,
		`{` + head + `,"models":{"openrouter":{"m":{"prompt":"-1","completion":"2"}}}}`:                                 false,
		`{` + head + `,"models":{"openrouter":{"m":{"input":"1"}}}}`:                                                    false,
		`{` + head: false,
	} {
		if _, err := ReadPrices([]byte(body)); (err == nil) != ok {
			t.Errorf("%s: %v", body, err)
		}
	}
}
