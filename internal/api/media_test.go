package api_test

import (
	"bytes"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/api"
	"github.com/zakibelm/astrogrowth/tasks"
)

func encoded(t *testing.T, encode func(*bytes.Buffer, image.Image) error) string {
	t.Helper()
	var b bytes.Buffer
	if err := encode(&b, image.NewGray(image.Rect(0, 0, 4, 3))); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func pngOf(t *testing.T) string {
	t.Helper()
	return encoded(t, func(b *bytes.Buffer, m image.Image) error { return png.Encode(b, m) })
}

func TestMediaIsKeptByItsContent(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	for kind, data := range map[string]string{
		"image/png":  pngOf(t),
		"image/jpeg": encoded(t, func(b *bytes.Buffer, m image.Image) error { return jpeg.Encode(b, m, nil) }),
		"image/gif":  encoded(t, func(b *bytes.Buffer, m image.Image) error { return gif.Encode(b, m, nil) }),
	} {
		up := f.call(http.MethodPost, "/v1/media?alt_text="+url.QueryEscape("un carré"), data, "Content-Type", "text/plain") // what it claims to be says nothing
		m := up.json(t)
		if up.status != http.StatusCreated || m["type"] != kind || m["width"] != 4.0 || m["height"] != 3.0 || m["alt_text"] != "un carré" {
			t.Fatalf("%s: %d %v", kind, up.status, m)
		}
		path := "/v1/media/" + m["id"].(string) //nolint:forcetypeassert,errcheck // a test may panic
		if again := f.call(http.MethodPost, "/v1/media?alt_text="+url.QueryEscape("un carré"), data).json(t); again["id"] != m["id"] {
			t.Errorf("the same picture again is %v", again["id"])
		}
		if other := f.call(http.MethodPost, "/v1/media", data).json(t); other["id"] == m["id"] {
			t.Error("another alternative text is the same picture")
		}
		got := f.call(http.MethodGet, path+"/content", "")
		if got.status != http.StatusOK || got.header.Get("Content-Type") != kind || string(got.body) != string(bytes.TrimSpace([]byte(data))) {
			t.Errorf("content: %d %s, %d bytes", got.status, got.header.Get("Content-Type"), len(got.body))
		}
		if gone := f.call(http.MethodDelete, path, ""); gone.status != http.StatusNoContent {
			t.Errorf("delete: %d %s", gone.status, gone.body)
		}
		if gone := f.call(http.MethodGet, path, ""); gone.status != http.StatusNotFound {
			t.Errorf("after the delete: %d", gone.status)
		}
	}
}

func TestMediaThatLinkedInWouldRefuse(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	for name, tc := range map[string]struct {
		data   string
		status int
	}{
		"no picture":       {"<svg xmlns='http://www.w3.org/2000/svg'/>", http.StatusUnprocessableEntity},
		"too many pixels":  {strings.Replace(pngOf(t), "\x00\x00\x00\x04\x00\x00\x00\x03", "\x00\x00\x40\x00\x00\x00\x40\x00", 1), http.StatusUnprocessableEntity},
		"too large a file": {pngOf(t) + strings.Repeat("x", 8<<20), http.StatusRequestEntityTooLarge},
	} {
		if got := f.call(http.MethodPost, "/v1/media", tc.data); got.status != tc.status {
			t.Errorf("%s: %d %s; want %d", name, got.status, got.body, tc.status)
		}
	}
}

func TestMediaIsFetchedFromPublicAddressesOnly(t *testing.T) {
	t.Parallel()
	data := pngOf(t)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(data)) }))
	t.Cleanup(web.Close)
	for want, hosts := range map[int][]string{http.StatusCreated: {"127.0.0.1"}, http.StatusForbidden: nil} {
		f := newFace(t, func(c *api.Config) { c.Fetch = tasks.FetchClient(hosts) })
		if got := f.call(http.MethodPost, "/v1/media/fetch", `{"url":"`+web.URL+`/a.png"}`); got.status != want {
			t.Errorf("allowed %v: %d %s", hosts, got.status, got.body)
		}
	}
}

// What a person has approved is the text; whoever adds to it vouches for that.
func TestPostsBeyondTheApprovedTextNeedApproval(t *testing.T) {
	t.Parallel()
	f := newFace(t, func(c *api.Config) { c.RequireKeys = true })
	content := `"content_id":"` + string(f.keeps("Bonjour.").ID) + `"`
	for body, want := range map[string]int{
		`{` + content + `}`: http.StatusAccepted,
		`{` + content + `,"images":["` + growth.NewID() + `"]}`:                   http.StatusForbidden,
		`{` + content + `,"article":{"url":"https://example.com/a","title":"T"}}`: http.StatusForbidden,
		`{` + content + `,"first_comment":"x"}`:                                   http.StatusForbidden,
		`{` + content + `,"allow_repeat":true}`:                                   http.StatusForbidden,
	} {
		if got := f.call(http.MethodPost, "/v1/jobs/linkedin-publish", body, "X-API-Key", f.key(f.ws.ID, "enqueue")); got.status != want {
			t.Errorf("%s: %d %s", body, got.status, got.body)
		}
	}
	if got := f.call(http.MethodPost, "/v1/jobs/linkedin-publish", `{"text":"x","images":["`+growth.NewID()+`"]}`, "X-API-Key", f.key(f.ws.ID, "enqueue", "approve")); got.status != http.StatusAccepted {
		t.Errorf("with approve: %d %s", got.status, got.body)
	}
}
