package simulator

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

var liHeaders = []string{
	"Authorization", "Bearer sim-ada-li", "LinkedIn-Version", "202608", "X-Restli-Protocol-Version", "2.0.0", "Content-Type", "application/json",
}

// with replaces or adds a header.
func with(name, value string) []string {
	out := append([]string{}, liHeaders...)
	return append(out, name, value)
}

func postBody(commentary string) obj {
	return obj{
		"author": "urn:li:person:782bbtaQ", "commentary": commentary, "visibility": "PUBLIC",
		"distribution":   obj{"feedDistribution": "MAIN_FEED", "targetEntities": []any{}, "thirdPartyDistributionChannels": []any{}},
		"lifecycleState": "PUBLISHED", "isReshareDisabledByAuthor": false,
	}
}

func TestLinkedInPost(t *testing.T) {
	t.Parallel()
	s := start(t)
	g := s.post(liPosts, postBody(`Join us \(free\) on Friday #golang <3`), liHeaders...)
	urn := g.header.Get("x-restli-id")
	if g.status != 201 || g.body != "" || !strings.HasPrefix(urn, "urn:li:share:") || g.header.Get("X-Li-Uuid") == "" {
		t.Fatalf("answer = %d %q, %v", g.status, g.body, g.header)
	}
	posts := s.Posts()
	if len(posts) != 1 || posts[0].Text != "Join us (free) on Friday #golang " || !posts[0].Truncated || posts[0].URN != urn {
		t.Errorf("posts = %+v", posts)
	}
	page := s.call(http.MethodGet, "/linkedin/feed/update/"+urn+"/", "")
	if page.status != 200 || !strings.Contains(page.body, "Join us (free) on Friday #golang") || !strings.Contains(page.body, urn) {
		t.Errorf("page = %d %s", page.status, page.body)
	}
	path := liPosts + "/" + strings.ReplaceAll(urn, ":", "%3A")
	if g := s.call(http.MethodGet, path, "", liHeaders...); g.status != 403 {
		t.Errorf("a member's token reads a post: %d", g.status)
	}
	if v := s.call(http.MethodGet, path, "", with("Authorization", "Bearer sim-ada-li+read")...).json(t); v["id"] != urn {
		t.Errorf("read back = %v", v)
	}
	for range 2 { // deleting is idempotent
		if g := s.call(http.MethodDelete, path, "", liHeaders...); g.status != 204 {
			t.Errorf("delete = %d", g.status)
		}
	}
	if len(s.Posts()) != 0 {
		t.Error("the post is still there")
	}
	if g := s.call(http.MethodGet, "/linkedin/feed/update/"+urn+"/", ""); g.status != 404 {
		t.Errorf("page of a deleted post = %d", g.status)
	}
}

func TestLinkedInPageIsEscaped(t *testing.T) {
	t.Parallel()
	s := start(t)
	body := postBody(`\<script\>alert\(1\)\</script\>`)
	body["content"] = obj{"article": obj{"source": "javascript:alert(1)", "title": "<b>x</b>"}}
	urn := s.post(liPosts, body, liHeaders...).header.Get("x-restli-id")
	page := s.call(http.MethodGet, "/linkedin/feed/update/"+urn+"/", "")
	for _, bad := range []string{"<script>", "javascript:", "<b>x"} {
		if strings.Contains(page.body, bad) {
			t.Errorf("page holds %q: %s", bad, page.body)
		}
	}
}

func TestLinkedInOrganisationsPostsCanBeRead(t *testing.T) {
	t.Parallel()
	s := start(t)
	body := postBody("From the page")
	body["author"] = "urn:li:organization:77"
	urn := s.post(liPosts, body, liHeaders...).header.Get("x-restli-id")
	if v := s.call(http.MethodGet, liPosts+"/"+urn, "", liHeaders...).json(t); v["commentary"] != "From the page" {
		t.Errorf("read back = %v", v)
	}
}

func TestLinkedInRefusals(t *testing.T) {
	t.Parallel()
	without := func(key string) obj {
		b := postBody("hello")
		delete(b, key)
		return b
	}
	changed := func(key string, v any) obj {
		b := postBody("hello")
		b[key] = v
		return b
	}
	ok := postBody("hello")
	for _, tc := range []struct {
		name    string
		body    any
		headers []string
		status  int
		code    string
		message string
		service float64
	}{
		{"no token", ok, with("Authorization", ""), 401, "", "Empty oauth2_access_token", 401},
		{"empty token", ok, with("Authorization", "Bearer "), 401, "", "Empty oauth2_access_token", 401},
		{"basic", ok, with("Authorization", "Basic eA=="), 401, "INVALID_ACCESS_TOKEN", "Unknown authentication schema", 65600},
		{"unknown", ok, with("Authorization", "Bearer AQX"), 401, "INVALID_ACCESS_TOKEN", "Invalid access token", 65600},
		{"expired", ok, with("Authorization", "Bearer sim-expired-1"), 401, "EXPIRED_ACCESS_TOKEN", "has expired", 65602},
		{"revoked", ok, with("Authorization", "Bearer sim-revoked-1"), 401, "REVOKED_ACCESS_TOKEN", "has been revoked", 65601},
		{"no version", ok, with("LinkedIn-Version", ""), 400, "VERSION_MISSING", "version", 0},
		{"past its sunset", ok, with("LinkedIn-Version", "202511"), 426, "NONEXISTENT_VERSION", "Requested version 20251101 is not active", 0},
		{"skipped month", ok, with("LinkedIn-Version", "202512"), 426, "NONEXISTENT_VERSION", "is not active", 0},
		{"not out yet", ok, with("LinkedIn-Version", "202702"), 426, "NONEXISTENT_VERSION", "is not active", 0},
		{"no version at all", ok, with("LinkedIn-Version", "latest"), 426, "NONEXISTENT_VERSION", "is not active", 0},
		{"no protocol", ok, with("X-Restli-Protocol-Version", ""), 400, "ILLEGAL_ARGUMENT", "2.0.0", 0},
		{"not JSON", "x", liHeaders, 400, "ILLEGAL_ARGUMENT", "could not be converted to data map", 0},
		{"no author", without("author"), liHeaders, 422, "UNPROCESSABLE_ENTITY", "ERROR :: /author :: field is required but not found and has no default value", 0},
		{"unknown key", changed("text", "x"), liHeaders, 422, "UNPROCESSABLE_ENTITY", "ERROR :: /text :: unrecognized field found but not allowed", 0},
		{"bad author", changed("author", "ada"), liHeaders, 400, "INVALID_URN_TYPE", "", 0},
		{"bad visibility", changed("visibility", "ALL"), liHeaders, 400, "INVALID_VALUE_FOR_FIELD", "", 0},
		{"blank", postBody(" \n"), liHeaders, 400, "INVALID_VALUE_BLANK_FIELD", "", 0},
		{"too long", postBody(strings.Repeat("é", 3001)), liHeaders, 400, "FIELD_LENGTH_TOO_LONG", "", 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			g := s.post(liPosts, tc.body, tc.headers...)
			v := g.json(t)
			if g.status != tc.status || v["status"] != float64(tc.status) || text(t, v, "code") != tc.code || !strings.Contains(text(t, v, "message"), tc.message) {
				t.Errorf("answer = %d %s", g.status, g.body)
			}
			if n, _ := v["serviceErrorCode"].(float64); n != tc.service {
				t.Errorf("serviceErrorCode = %v, want %v", n, tc.service)
			}
			if len(s.Posts()) != 0 {
				t.Error("a refused post is live")
			}
		})
	}
}

func TestLinkedInLengthCountsWithoutEscapes(t *testing.T) {
	t.Parallel()
	s := start(t)
	if g := s.post(liPosts, postBody(strings.Repeat(`\(`, 3000)), liHeaders...); g.status != 201 {
		t.Errorf("3000 visible characters: %d %s", g.status, g.body)
	}
	if g := s.post(liPosts, postBody(strings.Repeat("😀", 1501)), liHeaders...); g.status != 400 {
		t.Errorf("3002 UTF-16 units: %d", g.status)
	}
}

func TestLinkedInDuplicates(t *testing.T) {
	t.Parallel()
	s := start(t)
	first := s.post(liPosts, postBody("Same words"), liHeaders...).header.Get("x-restli-id")
	g := s.post(liPosts, postBody("Same words"), liHeaders...)
	v := g.json(t)
	if g.status != 422 || !strings.HasSuffix(text(t, v, "message"), "Content is a duplicate of "+first) ||
		text(t, v, "errorDetails", "inputErrors", 0, "code") != "DUPLICATE_POST" {
		t.Errorf("answer = %d %s", g.status, g.body)
	}
	other := postBody("Same words")
	other["author"] = "urn:li:person:another"
	article := postBody("Same words")
	article["content"] = obj{"article": obj{"source": "https://example.com", "title": "t"}}
	for name, b := range map[string]obj{"another author": other, "with an article": article, "other words": postBody("Same words!")} {
		if g := s.post(liPosts, b, liHeaders...); g.status != 201 {
			t.Errorf("%s: %d", name, g.status)
		}
	}
	s.call(http.MethodDelete, liPosts+"/"+first, "", liHeaders...)
	if g := s.post(liPosts, postBody("Same words"), liHeaders...); g.status != 201 {
		t.Errorf("after deletion: %d", g.status)
	}
}

func TestLinkedInDraftsAreNotLive(t *testing.T) {
	t.Parallel()
	s := start(t)
	b := postBody("later")
	b["lifecycleState"] = "DRAFT"
	if g := s.post(liPosts, b, liHeaders...); g.status != 201 || len(s.Posts()) != 0 {
		t.Errorf("status %d, %d live", g.status, len(s.Posts()))
	}
}

func TestLinkedInUGC(t *testing.T) {
	t.Parallel()
	s := start(t)
	body := obj{
		"author": "urn:li:person:782bbtaQ", "lifecycleState": "PUBLISHED",
		"specificContent": obj{"com.linkedin.ugc.ShareContent": obj{
			"shareCommentary": obj{"text": "Plain (text) #golang"}, "shareMediaCategory": "NONE",
		}},
		"visibility": obj{"com.linkedin.ugc.MemberNetworkVisibility": "PUBLIC"},
	}
	g := s.post("/linkedin/v2/ugcPosts", body, "Authorization", "Bearer sim-x", "X-Restli-Protocol-Version", "2.0.0")
	if v := g.json(t); g.status != 201 || v["id"] != g.header.Get("X-RestLi-Id") {
		t.Errorf("answer = %d %s", g.status, g.body)
	}
	if p := s.Posts()[0]; p.Text != "Plain (text) #golang" || p.Truncated || strings.Join(p.Hashtags, " ") != "golang" {
		t.Errorf("post = %+v", p)
	}
}

func TestLinkedInUserinfo(t *testing.T) {
	t.Parallel()
	s := start(t)
	who := func(token string) obj {
		return s.call(http.MethodGet, "/linkedin/v2/userinfo", "", "Authorization", "Bearer "+token).json(t)
	}
	ada := who("sim-ada-li")
	if ada["name"] != "Ada Li" || ada["given_name"] != "Ada" || ada["sub"] == who("sim-bob-roy")["sub"] {
		t.Errorf("userinfo = %v", ada)
	}
	if ada["sub"] != who("sim-ada-li+read")["sub"] {
		t.Error("the scope has changed the member")
	}
	if who("sim-")["name"] != "Sim Member" {
		t.Errorf("nameless = %v", who("sim-"))
	}
}

func TestLinkedInVersions(t *testing.T) {
	t.Parallel()
	early := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		version string
		now     time.Time
		want    bool
	}{
		{"202511", time.Date(2026, 11, 10, 0, 0, 0, 0, time.UTC), true},
		{"202511", now, false},
		{"202601", now, true},
		{"202609", now, true},
		{"202611", now, true},
		{"202612", now, false},
		{"202608", early, true}, // a clock that is behind does not stop what is known to exist
		{"20260801", now, false},
		{"", now, false},
	} {
		if got := activeVersion(tc.version, tc.now); got != tc.want {
			t.Errorf("activeVersion(%q, %s) = %v", tc.version, tc.now.Format(time.DateOnly), got)
		}
	}
}
