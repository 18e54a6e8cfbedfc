// Command library uses the chain of language models inside a program of its own: no server, no queue, no database. It is
// an example, kept whole by the tests of the documentation; it refuses to know anything but the public packages.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/providers"
	"github.com/zakibelm/astrogrowth/router"
)

// say writes one line. Nothing can be done about a terminal that went away.
func say(format string, args ...any) { _, _ = fmt.Fprintf(os.Stdout, format+"\n", args...) }

// printed is a ledger that prints what was asked and what it cost. A program that pays for its calls writes them down.
type printed struct{}

// Start would commit a row before the request is sent.
func (printed) Start(context.Context, growth.Call) error { return nil }

// End prints the end of a call; a cost that nobody knows is not 0.
func (printed) End(_ context.Context, c growth.Call) {
	cost := "unknown"
	if c.Cost.USD != nil {
		cost = c.Cost.USD.String() + " USD"
	}
	say("asked %s/%s: %s", c.Provider, c.Model, cost)
}

func main() {
	openRouter := flag.String("openrouter", "https://openrouter.ai/api/v1", "address of OpenRouter")
	key := flag.String("key", "", "key for OpenRouter; empty: it is skipped")
	ollama := flag.String("ollama", "", "address of Ollama; empty: it is skipped")
	question := flag.String("ask", "What is 2+2? Just answer with the number.", "what to ask")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := ask(ctx, *question, []router.Provider{
		providers.NewOpenRouter(providers.Settings{BaseURL: *openRouter, Key: *key}),
		providers.NewOllama(providers.Settings{BaseURL: *ollama}),
	}); err != nil {
		stop()
		fmt.Fprintln(os.Stderr, "library:", err)
		os.Exit(1) //nolint:gocritic // stop has been called
	}
}

// ask walks the built-in route for simple questions: the first provider that is configured and answers is the one.
func ask(ctx context.Context, question string, chain []router.Provider) error {
	routes, err := router.ParseRoutes(router.DefaultRoutes)
	if err != nil {
		return fmt.Errorf("routes: %w", err)
	}
	r := router.New(router.Config{Routes: routes, Ledger: printed{}, Providers: chain})
	answer, err := r.Complete(ctx, router.Request{
		Task:     growth.TaskSimple,
		Messages: []growth.Message{{Role: "user", Content: question}},
		Timeout:  30 * time.Second,
	})
	if err != nil {
		return err
	}
	for _, c := range answer.Calls { // who was asked, who was not, and why
		say("%s: %s %s", c.Provider, c.Decision, c.Code)
	}
	say("answer: %s", answer.Text)
	return nil
}
