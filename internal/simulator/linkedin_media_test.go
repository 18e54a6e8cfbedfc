package simulator

import (
	"bytes"
	"image"
	"image/png"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

const liOwner = "urn:li:organization:5"

// announced begins an upload and returns the image's URN and the path of the upload.
func announced(t *testing.T, s *sim) (urn, path string) {
	t.Helper()
	g := s.post("/linkedin/rest/images?action=initializeUpload", obj{"initializeUploadRequest": obj{"owner": liOwner}}, liHeaders...)
	value, ok := g.json(t)["value"].(map[string]any)
	if g.status != 200 || !ok {
		t.Fatalf("begin = %d %s", g.status, g.body)
	}
	u, err := url.Parse(value["uploadUrl"].(string)) //nolint:errcheck,forcetypeassert // a test may panic
	if err != nil {
		t.Fatal(err)
	}
	return value["image"].(string), u.Path //nolint:errcheck,forcetypeassert // as above
}

func TestLinkedInImages(t *testing.T) {
	t.Parallel()
	var square bytes.Buffer
	if err := png.Encode(&square, image.NewGray(image.Rect(0, 0, 2, 2))); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ name, upload, author, code string }{
		{"uploaded", square.String(), liOwner, ""},
		{"not uploaded", "", liOwner, "MEDIA_ASSET_WAITING_UPLOAD"},
		{"no image", "<svg/>", liOwner, "MEDIA_ASSET_PROCESSING_FAILED"},
		{"somebody else's", square.String(), "urn:li:organization:6", "INVALID_URN_ID"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			urn, path := announced(t, s)
			if tc.upload != "" {
				if g := s.call(http.MethodPut, path, tc.upload, liHeaders...); g.status != 201 || g.body != "" {
					t.Fatalf("upload = %d %s", g.status, g.body)
				}
			}
			body := postBody("une image")
			body["author"], body["content"] = tc.author, obj{"media": obj{"id": urn, "altText": "a square"}}
			g := s.post(liPosts, body, liHeaders...)
			if (g.status == 201) != (tc.code == "") || !strings.Contains(g.body, tc.code) || len(s.Posts()) != map[bool]int{true: 1}[tc.code == ""] {
				t.Errorf("post = %d %s", g.status, g.body)
			}
		})
	}
}

func TestLinkedInContentIsOneKind(t *testing.T) {
	t.Parallel()
	s := start(t)
	article := obj{"source": "https://example.com/a", "title": "T"}
	for name, content := range map[string]any{
		"two kinds":           obj{"article": article, "media": obj{"id": "urn:li:image:x"}},
		"none":                obj{},
		"one image as many":   obj{"multiImage": obj{"images": []any{obj{"id": "urn:li:image:x"}}}},
		"article, nameless":   obj{"article": obj{"source": "https://example.com/a"}},
		"article, no address": obj{"article": obj{"source": "a", "title": "T"}},
	} {
		body := postBody("x " + name)
		body["content"] = content
		if g := s.post(liPosts, body, liHeaders...); g.status != 400 {
			t.Errorf("%s = %d %s", name, g.status, g.body)
		}
	}
	body := postBody("fine")
	body["content"] = obj{"article": article}
	if g := s.post(liPosts, body, liHeaders...); g.status != 201 {
		t.Errorf("an article = %d %s", g.status, g.body)
	}
}

func TestLinkedInFinderAndComments(t *testing.T) {
	t.Parallel()
	s := start(t)
	body := postBody("de la page")
	body["author"] = liOwner
	urn := s.post(liPosts, body, liHeaders...).header.Get("x-restli-id")
	s.post(liPosts, postBody("d'un membre"), liHeaders...)
	finder := liPosts + "?q=author&author=" + url.QueryEscape(liOwner)
	if g := s.call(http.MethodGet, finder, "", liHeaders...); g.status != 400 {
		t.Errorf("a finder without its method = %d", g.status)
	}
	headers := append(append([]string(nil), liHeaders...), "X-RestLi-Method", "FINDER")
	if g := s.call(http.MethodGet, finder, "", headers...); g.status != 200 || strings.Count(g.body, `"id"`) != 1 || !strings.Contains(g.body, urn) {
		t.Errorf("the page's posts = %d %s", g.status, g.body)
	}
	if g := s.call(http.MethodGet, liPosts+"?q=author&author=urn%3Ali%3Aperson%3A782bbtaQ", "", headers...); g.status != 403 {
		t.Errorf("a member's posts = %d", g.status)
	}
	path := "/linkedin/rest/socialActions/" + url.QueryEscape(urn) + "/comments"
	for actor, want := range map[string]int{liOwner: 201, "urn:li:person:782bbtaQ": 403} {
		if g := s.post(path, obj{"actor": actor, "object": urn, "message": obj{"text": "un (lien)"}}, liHeaders...); g.status != want {
			t.Errorf("comment by %s = %d %s", actor, g.status, g.body)
		}
	}
	if posts := s.Posts(); len(posts[0].Comments) != 1 || posts[0].Comments[0].Text != "un (lien)" {
		t.Errorf("comments = %+v", posts[0].Comments)
	}
}
