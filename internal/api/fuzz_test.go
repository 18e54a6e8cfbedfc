package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"mime"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/zakibelm/astrogrowth/internal/testenv"
)

// TestGeneratedRequestsAreAnsweredAsDescribed sends requests that are made from the server's own description: valid
// ones, ones with one fault, nonsense. No answer is a 500; each has a described status and fits its schema; each 4xx
// says in words what would be right. API_FUZZ_REQUESTS says how many, API_FUZZ_SEED repeats a run.
func TestGeneratedRequestsAreAnsweredAsDescribed(t *testing.T) {
	t.Parallel()
	requests, seed := testenv.Volume(1000), uint64(7)
	if n, err := strconv.Atoi(os.Getenv("API_FUZZ_REQUESTS")); err == nil {
		requests, seed = n, uint64(time.Now().UnixNano())
	}
	if n, err := strconv.ParseUint(os.Getenv("API_FUZZ_SEED"), 10, 64); err == nil {
		seed = n
	}
	t.Logf("%d requests, API_FUZZ_SEED=%d", requests, seed)
	f := newFace(t, nil)
	w := &wild{Rand: rand.New(rand.NewPCG(seed, 0)), ids: map[string][]string{}}
	for thing, id := range f.furnish(f.ws.ID, "") {
		w.ids[thing] = append(w.ids[thing], id)
	}
	routes := routesOf(f.description())
	statuses, bad := map[int]int{}, map[string]int{}
	for i := range requests {
		r := routes[i%len(routes)]
		a := w.request(r)
		got, err := f.send(a)
		if err != nil {
			t.Fatalf("%s: %v", a, err)
		}
		statuses[got.status]++
		if err := judge(r, got); err != nil {
			bad[r.String()+" "+strconv.Itoa(got.status)]++
			if bad[r.String()+" "+strconv.Itoa(got.status)] == 1 && len(bad) <= 40 {
				t.Errorf("%s\n%d %.600q\n%v", a, got.status, got.body, err)
			}
		}
		if got.status < 300 {
			w.learn(r, got.body)
		}
	}
	t.Logf("answers by status: %v", statuses)
	if len(bad) > 0 {
		t.Logf("faults: %v", bad)
	}
	for _, s := range []int{200, 201, 202, 204, 404, 422} {
		if statuses[s] == 0 {
			t.Errorf("no request was answered %d: the generator is of no use", s)
		}
	}
}

// send makes the request. Of a stream only the beginning is read.
func (f *face) send(a ask) (answer, error) {
	ctx, cancel := context.WithTimeout(f.t.Context(), 60*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, a.route.method, f.url+a.path, strings.NewReader(a.body))
	if err != nil {
		return answer{}, err
	}
	if b := a.route.op.RequestBody; b != nil {
		kind := "application/json"
		for k := range b.Value.Content {
			if b.Value.Content.Get(kind) == nil {
				kind = k
			}
		}
		req.Header.Set("Content-Type", kind)
	}
	for i := 0; i+1 < len(a.headers); i += 2 {
		req.Header.Set(a.headers[i], a.headers[i+1])
	}
	resp, err := wildClient.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") && a.route.path == "/v1/events" {
		return answer{resp.StatusCode, resp.Header, nil}, nil
	}
	body, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, body}, err
}

var wildClient = &http.Client{Timeout: time.Minute}

// judge holds an answer to the description.
func judge(r route, a answer) error {
	described := r.op.Responses.Value(strconv.Itoa(a.status))
	if described == nil {
		return fmt.Errorf("the status %d is not described", a.status)
	}
	if a.status == http.StatusInternalServerError {
		return fmt.Errorf("a fault of ours")
	}
	kind, _, _ := mime.ParseMediaType(a.header.Get("Content-Type"))
	if len(a.body) == 0 && (len(described.Value.Content) == 0 || kind == "text/event-stream") {
		return nil
	}
	m := described.Value.Content.Get(kind)
	if m == nil || m.Schema == nil {
		return fmt.Errorf("the kind %q is not described", kind)
	}
	var v any
	if strings.HasSuffix(kind, "json") {
		if err := json.Unmarshal(a.body, &v); err != nil {
			return fmt.Errorf("the body is not JSON: %w", err)
		}
		if err := fits(m.Schema.Value, v, openapi3.VisitAsResponse()); err != nil {
			return fmt.Errorf("the body does not fit: %.500w", err)
		}
	}
	if a.status < 400 {
		return nil
	}
	return saysWhatIsRight(r, a.status, kind, v)
}

// saysWhatIsRight looks at the words of a refusal.
func saysWhatIsRight(r route, status int, kind string, v any) error {
	body, _ := v.(map[string]any)
	if r.op.Tags[0] == "openai" {
		fault, _ := body["error"].(map[string]any)
		if text, _ := fault["message"].(string); text == "" {
			return fmt.Errorf("an error without a message")
		}
		return nil
	}
	if text, _ := body["message"].(string); text == "" || kind != "application/problem+json" {
		return fmt.Errorf("%s without a message", kind)
	}
	if status != http.StatusUnprocessableEntity {
		return nil
	}
	faults, _ := body["errors"].([]any)
	for _, f := range faults {
		if one, _ := f.(map[string]any); one["field"] == "" || one["message"] == "" {
			return fmt.Errorf("a fault without field or message: %v", f)
		}
	}
	if len(faults) == 0 {
		return fmt.Errorf("a 422 that names no field")
	}
	return nil
}
