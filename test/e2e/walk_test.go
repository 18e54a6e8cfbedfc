//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// TestTheFourCallsOfTheReplacedSystem makes the calls that old clients make, on a fresh installation.
func TestTheFourCallsOfTheReplacedSystem(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.start()
	var answer obj
	ask := `{"taskType":"simple","messages":[{"role":"user","content":"What is 2+2? Just answer with the number."}]}`
	if code := s.call(http.MethodPost, s.api+"/api/trpc/llm.complete", ask, &answer); code != http.StatusOK || answer.str("result.data.content") != "4" {
		t.Errorf("llm.complete: %d %v", code, answer)
	}
	if answer.at("result.data.metadata.simulated") != true {
		t.Errorf("the answer does not say that it is simulated: %v", answer)
	}
	if s.call(http.MethodPost, s.api+"/api/trpc/llm.complete", ask, &answer); answer.at("result.data.metadata.cached") != true {
		t.Errorf("the same question again was not cached: %v", answer)
	}
	s.await(waitLong, "the summary to hold the call", func() bool {
		var sum obj
		s.call(http.MethodGet, s.api+"/api/trpc/llmAnalytics.summary?days=7", nil, &sum)
		return sum.str("result.data.totalCalls") == "1" && sum.at("result.data.simulated") == true && sum.str("result.data.cacheMetrics.hits") == "1"
	})
	var breakers obj
	s.call(http.MethodGet, s.api+"/api/trpc/llmAnalytics.circuitBreakerStatus", nil, &breakers)
	if b, ok := breakers.at("result.data").(map[string]any); !ok || b["openrouter"] == nil || b["ollama"] == nil {
		t.Errorf("circuitBreakerStatus = %v", breakers)
	}
	var metrics obj
	if s.call(http.MethodGet, s.api+"/api/trpc/llmAnalytics.cacheMetrics", nil, &metrics); metrics.at("result.data.hitRate") == nil {
		t.Errorf("cacheMetrics = %v", metrics)
	}
	if code := s.call(http.MethodGet, s.api+"/api/trpc/no.such", nil, &metrics); code != http.StatusNotFound || metrics.str("error.code") != "-32004" {
		t.Errorf("unknown procedure: %d %v", code, metrics)
	}
}

// TestTheThreeJobs walks a lead from its score to a post on the simulated LinkedIn.
func TestTheThreeJobs(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.start()
	s.call(http.MethodPut, s.sim+"/_control/bodies", `{"keep":100}`, nil)
	scored := s.job("lead-qualification", map[string]any{
		"lead": map[string]any{
			"business_name": "Café du Parc", "business_type": "café", "address": "12 rue des Tests", "city": "Laval", "contact_name": "Zoé Canari",
			"email": "zoe.canari@example.com", "phone": "514 555 0199", "google_rating": 4.7, "google_reviews": 320,
			"notes": "Zoé Canari cherche quelqu'un pour refaire son site web ce mois-ci, budget de 4000 $.",
		},
		"metadata": map[string]any{"source": "test"},
	})
	if scored.str("state") != "succeeded" || scored.at("result.reasons") == nil || scored.at("simulated") != true || scored.str("metadata.source") != "test" {
		t.Fatalf("qualification = %v", scored)
	}
	if scored.str("cost.provenance") == "unknown" || len(scored.list("calls")) == 0 {
		t.Errorf("cost = %v, calls = %v", scored.at("cost"), scored.at("calls"))
	}
	s.noPersonalDataLeft("Canari", "zoe.canari", "555 0199", "12 rue des Tests")

	again := s.job("lead-qualification", map[string]any{"lead_id": scored.str("result.lead_id")})
	if again.at("result.reused") != true || len(again.list("calls")) != 0 {
		t.Errorf("an unchanged lead was scored again: %v", again)
	}

	written := s.job("content-generation", map[string]any{
		"topic": "Trois façons de remplir une terrasse en semaine", "brief": "Restaurant de quartier. Menu du midi à 18 $.", "audience": "restaurateurs",
		"cta": "Écrivez-nous", "language": "fr-CA",
	})
	content := written.str("result.variants.0.content_id")
	if written.str("state") != "succeeded" || content == "<nil>" {
		t.Fatalf("content = %v", written)
	}
	var accepted obj
	s.call(http.MethodPost, s.api+"/v1/jobs/linkedin-publish", map[string]any{"content_id": content}, &accepted)
	publish := accepted.str("id")
	s.await(waitLong, "the publish job to wait for approval", func() bool {
		var j obj
		s.call(http.MethodGet, s.api+"/v1/jobs/"+publish, nil, &j)
		return j.str("waiting.reason") == "approval"
	})
	var read obj
	s.call(http.MethodGet, s.api+"/v1/contents/"+content, nil, &read)
	if code := s.call(http.MethodPost, s.api+"/v1/contents/"+content+"/approve", map[string]any{"hash": read.str("hash")}, nil); code != http.StatusOK {
		t.Fatalf("approve: %d", code)
	}
	done := s.wait(publish)
	if done.str("state") != "succeeded" || !strings.Contains(done.str("result.url"), done.str("result.urn")) {
		t.Fatalf("publish = %v", done)
	}
	if code := s.call(http.MethodGet, done.str("result.url"), nil, nil); code != http.StatusOK {
		t.Errorf("the post's page answers %d", code)
	}
	second := s.job("linkedin-publish", map[string]any{"content_id": content})
	if second.str("state") != "failed" || second.str("error.code") != "conflict" {
		t.Errorf("the same post a second time: %v", second)
	}
	if posts := s.posts(); len(posts) != 1 {
		t.Errorf("%d posts on LinkedIn, want 1: %v", len(posts), posts)
	}
}

// TestFailover tells the first provider to fail: the next one answers, the job says why, and the breaker opens.
func TestFailover(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.start()
	s.fault(`{"provider":"openrouter","kind":"500"}`)
	for i := range 8 {
		var a obj
		body := fmt.Sprintf(`{"task_type":"simple","messages":[{"role":"user","content":"What is 30+%d? Just answer with the number."}]}`, i)
		if code := s.call(http.MethodPost, s.api+"/v1/llm/complete", body, &a); code != http.StatusOK || a.str("content") != fmt.Sprint(30+i) {
			t.Fatalf("call %d: %d %v", i, code, a)
		}
		if a.str("provider") == "openrouter" || a.at("fallback_attempts") == float64(0) {
			t.Errorf("call %d was answered by %s", i, a.str("provider"))
		}
		want := "failed"
		if i >= 5 {
			want = "skipped"
		}
		if got := a.str("calls.0.decision"); got != want {
			t.Errorf("call %d: the first candidate was %s, want %s (%v)", i, got, want, a.at("calls"))
		}
	}
	var breakers map[string]obj
	s.call(http.MethodGet, s.api+"/v1/analytics/breakers", nil, &breakers)
	open := 0
	for _, b := range breakers {
		if b.str("state") == "OPEN" {
			open++
		}
	}
	if open != 1 {
		t.Errorf("%d breakers are open, want the model's: %v", open, breakers)
	}
	j := s.job("lead-qualification", map[string]any{"lead": map[string]any{"business_name": "Salon Échec", "business_type": "coiffure", "city": "Laval", "address": "9 rue B"}})
	if j.str("state") != "succeeded" || j.str("result.scored_by") != "fallback_model" {
		t.Errorf("job = %v", j)
	}
	s.clearFaults()
}

// TestUnknownOutcomeIsNeverSentAgain has LinkedIn accept a post and not answer.
func TestUnknownOutcomeIsNeverSentAgain(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.start()
	s.fault(`{"provider":"linkedin","kind":"500_after_accept","count":1}`)
	var accepted obj
	s.call(http.MethodPost, s.api+"/v1/jobs/linkedin-publish", map[string]any{"text": "Un message qui part peut-être."}, &accepted)
	id := accepted.str("id")
	s.await(waitLong, "the outcome to be unknown", func() bool {
		var j obj
		s.call(http.MethodGet, s.api+"/v1/jobs/"+id, nil, &j)
		return j.str("waiting.reason") == "outcome_unknown"
	})
	var pubs obj
	s.call(http.MethodGet, s.api+"/v1/publications?state=unknown", nil, &pubs)
	pub := pubs.str("data.0.id")
	if got := len(s.posts()); got != 1 {
		t.Errorf("%d posts, want the 1 that was accepted", got)
	}
	urn := s.posts()[0].str("urn")
	var settled obj
	if code := s.call(http.MethodPost, s.api+"/v1/publications/"+pub+"/settle", map[string]any{"verdict": "published", "urn": urn}, &settled); code != http.StatusOK {
		t.Fatalf("settle: %d %v", code, settled)
	}
	if j := s.wait(id); j.str("state") != "succeeded" || j.str("result.urn") != urn {
		t.Errorf("job = %v", j)
	}
	if got := len(s.posts()); got != 1 {
		t.Errorf("%d posts after settling, want 1", got)
	}
}

func (s *stack) posts() []obj {
	s.t.Helper()
	var out struct{ Posts []obj }
	s.call(http.MethodGet, s.sim+"/_control/posts", nil, &out)
	return out.Posts
}

// noPersonalDataLeft looks for words in what the providers were sent and in every log.
func (s *stack) noPersonalDataLeft(words ...string) {
	s.t.Helper()
	var bodies obj
	s.call(http.MethodGet, s.sim+"/_control/bodies", nil, &bodies)
	sent := fmt.Sprint(bodies)
	for _, w := range words {
		if strings.Contains(sent, w) {
			s.t.Errorf("%q reached a provider", w)
		}
		if strings.Contains(s.out.String(), w) {
			s.t.Errorf("%q is in a log", w)
		}
	}
	if !strings.Contains(sent, "[NAME_1]") {
		s.t.Errorf("no placeholder reached a provider; are bodies kept? %.300s", sent)
	}
}
