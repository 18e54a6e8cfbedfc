package providers_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/providers"
)

// A provider in OpenAI's shape is a few lines: its name, its address, and what it understands beyond the others.
func ExampleNewCompatible() {
	host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Println(r.Method, r.URL.Path, r.Header.Get("X-Region"))
		_, _ = io.WriteString(w, `{"id":"c-1","model":"tiny-2","choices":[{"finish_reason":"stop",
			"message":{"role":"assistant","content":"4"}}],"usage":{"prompt_tokens":9,"completion_tokens":1}}`)
	}))
	defer host.Close()

	tiny := providers.NewCompatible(providers.CompatibleConfig{
		Name:     "tiny",
		BaseURL:  host.URL + "/v1",
		Settings: providers.Settings{Key: "secret"},
		Headers:  map[string]string{"X-Region": "ca"},
		Adapt:    func(_ providers.Request, body map[string]any) { body["safe_prompt"] = true },
	})
	answer, err := tiny.Complete(context.Background(), providers.Request{
		Model:    "tiny",
		Messages: []growth.Message{{Role: "user", Content: "What is 2+2?"}},
	})
	fmt.Println(answer.Text, answer.Model, answer.Usage.TotalTokens, err)
	// Output:
	// POST /v1/chat/completions ca
	// 4 tiny-2 10 <nil>
}
