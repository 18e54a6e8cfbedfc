package simulator

import (
	"fmt"
	"hash/fnv"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

func (s *Server) routesLinkedIn() {
	s.mux.HandleFunc("POST /linkedin/rest/posts", s.handle(LinkedIn, "posts", (*exchange).createPost))
	s.mux.HandleFunc("GET /linkedin/rest/posts/{urn}", s.handle(LinkedIn, "read", (*exchange).readPost))
	s.mux.HandleFunc("DELETE /linkedin/rest/posts/{urn}", s.handle(LinkedIn, "delete", (*exchange).deletePost))
	s.mux.HandleFunc("POST /linkedin/v2/ugcPosts", s.handle(LinkedIn, "posts", (*exchange).createUGC))
	s.mux.HandleFunc("GET /linkedin/rest/posts", s.handle(LinkedIn, "read", (*exchange).listPosts))
	s.mux.HandleFunc("POST /linkedin/rest/socialActions/{urn}/comments", s.handle(LinkedIn, "comments", (*exchange).createComment))
	s.mux.HandleFunc("POST /linkedin/rest/images", s.handle(LinkedIn, "images", (*exchange).beginImage))
	s.mux.HandleFunc("GET /linkedin/rest/images/{urn}", s.handle(LinkedIn, "images", (*exchange).readImage))
	s.mux.HandleFunc("POST /linkedin/v2/assets", s.handle(LinkedIn, "images", (*exchange).beginAsset))
	s.mux.HandleFunc("PUT /linkedin/dms-uploads/{id}", s.handle(LinkedIn, "uploads", (*exchange).upload))
	s.mux.HandleFunc("GET /linkedin/v2/userinfo", s.handle(LinkedIn, "userinfo", (*exchange).userinfo))
	s.mux.HandleFunc("GET /linkedin/feed/update/{urn}/{$}", s.showPost)
	s.mux.HandleFunc("GET /linkedin/feed/update/{urn}", s.showPost)
	s.mux.HandleFunc("/linkedin/", s.notThere(LinkedIn))
}

// Tokens are told by their names: "sim-…" is good, "sim-expired…" and "sim-revoked…" are not, and one that ends in
// "+read" has the scope to read members' posts that real applications do not get, one in "-blind" not even that for
// organisations' posts.
const (
	tokenPrefix  = "sim-"
	tokenExpired = "sim-expired"
	tokenRevoked = "sim-revoked"
	tokenReads   = "+read"
	tokenBlind   = "-blind" // has no scope to read an organisation's posts
)

// member checks the token; it is empty when it has refused the request.
func (x *exchange) member() string {
	token, bearer := x.bearer()
	if dead := x.has(KindRevoked) || x.has(KindExpired); !dead {
		if name, found := x.issuedTo(token); found {
			return name
		}
	}
	switch {
	case x.has(KindRevoked), x.has(KindExpired):
		x.deadToken(x.fault.Kind)
	case x.r.Header.Get("Authorization") == "", bearer && token == "":
		x.respond(http.StatusUnauthorized, map[string]any{
			"message": "Empty oauth2_access_token", "serviceErrorCode": http.StatusUnauthorized, "status": http.StatusUnauthorized,
		})
	case !bearer:
		x.refuse(problem{status: http.StatusUnauthorized, message: "Unknown authentication schema"})
	case strings.HasPrefix(token, tokenExpired):
		x.deadToken(KindExpired)
	case strings.HasPrefix(token, tokenRevoked):
		x.deadToken(KindRevoked)
	case !strings.HasPrefix(token, tokenPrefix):
		x.refuse(problem{status: http.StatusUnauthorized})
	default:
		return token
	}
	return ""
}

func (x *exchange) deadToken(kind string) {
	p := problem{
		status: http.StatusUnauthorized, code: "REVOKED_ACCESS_TOKEN", service: 65601,
		message: "The token used in the request has been revoked by the user",
	}
	if kind == KindExpired {
		p.code, p.service, p.message = "EXPIRED_ACCESS_TOKEN", 65602, "The token used in the request has expired"
	}
	x.refuse(p)
}

// rest checks what every call under /rest needs beside a token.
func (x *exchange) rest() bool {
	version := x.r.Header.Get("LinkedIn-Version")
	if version == "" {
		x.refuse(problem{status: http.StatusBadRequest, code: "VERSION_MISSING", message: "A version must be present. Please specify a version by adding the LinkedIn-Version header."})
		return false
	}
	if !activeVersion(version, x.s.now()) {
		if len(version) == len("202601") {
			version += "01" // the real service answers with a day
		}
		x.refuse(problem{status: http.StatusUpgradeRequired, message: "Requested version " + clip(version, 20) + " is not active"})
		return false
	}
	return x.restli()
}

func (x *exchange) restli() bool {
	if x.r.Header.Get("X-Restli-Protocol-Version") == "2.0.0" {
		return true
	}
	x.refuse(problem{status: http.StatusBadRequest, message: "X-RestLi-Protocol-Version must be 2.0.0"})
	return false
}

// newestVersion is the newest that is known to exist; clocks that run before it do not make it inactive.
var newestVersion = time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC)

// skippedVersions are the months in which no version came out.
var skippedVersions = []string{"202512"}

// activeVersion says whether a version has come out and is not past its sunset: the middle of the month one year on.
func activeVersion(v string, now time.Time) bool {
	month, err := time.Parse("200601", v)
	if err != nil || slices.Contains(skippedVersions, v) {
		return false
	}
	return !month.After(latest(now.UTC(), newestVersion)) && now.Before(month.AddDate(1, 0, 14))
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// trace sets the headers by which LinkedIn's support finds a request.
func (x *exchange) trace() {
	h := x.w.Header()
	h.Set("X-Li-Uuid", x.s.dice.word(22)+"==")
	h.Set("X-Li-Fabric", "prod-simulated")
	h.Set("X-Li-Request-Id", x.s.dice.word(16))
}

// userinfo makes a person out of the token: "sim-ada-li" is Ada Li.
func (x *exchange) userinfo() {
	x.trace()
	token := x.member()
	if token == "" {
		return
	}
	name := strings.TrimSuffix(strings.TrimPrefix(token, tokenPrefix), tokenReads)
	given, family := personName(name)
	x.respond(http.StatusOK, map[string]any{
		"sub": subject(token), "name": strings.TrimSpace(given + " " + family), "given_name": given, "family_name": family,
		"picture": "https://media.licdn.com/simulated.jpg", "locale": map[string]string{"country": "CA", "language": "fr"},
		"email": "member." + subject(token) + "@example.com", "email_verified": true,
	})
}

// subject is the member's opaque id, which belongs to the person and not to one of their tokens' scopes.
func subject(token string) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(strings.TrimSuffix(token, tokenReads)))
	return "sim" + strconv.FormatUint(h.Sum64(), 36)[:7]
}

func personName(s string) (given, family string) {
	parts := strings.FieldsFunc(s, func(r rune) bool { return !isWord(r) })
	for i, p := range parts {
		runes := []rune(clip(p, 40))
		parts[i] = strings.ToUpper(string(runes[:1])) + string(runes[1:])
	}
	switch len(parts) {
	case 0:
		return "Sim", "Member"
	case 1:
		return parts[0], "Member"
	}
	return parts[0], strings.Join(parts[1:min(len(parts), 4)], " ")
}

// readPost gives a post back: organisations' to everybody, members' only with the scope that is closed to the public.
func (x *exchange) readPost() {
	x.trace()
	token := x.member()
	if token == "" || !x.rest() {
		return
	}
	p, ok := x.s.feed.find(x.r.PathValue("urn"))
	switch {
	case !strings.HasSuffix(token, tokenReads) && (!ok || !mayRead(token, p.Author)):
		x.refuse(problem{status: http.StatusForbidden, message: "Not enough permissions to access: partnerApiPostsExternal.GET.20260801"})
	case !ok:
		x.refuse(problem{status: http.StatusNotFound})
	default:
		x.respond(http.StatusOK, p.asRead())
	}
}

// mayRead says whether a token can see an author's posts through the API: organisations' unless it was made without
// that scope, members' only with the scope that is closed to the public.
func mayRead(token, author string) bool {
	return strings.HasSuffix(token, tokenReads) || strings.HasPrefix(author, "urn:li:organization:") && !strings.HasSuffix(token, tokenBlind)
}

func (p Post) asRead() map[string]any {
	out := map[string]any{
		"id": p.URN, "author": p.Author, "commentary": p.Commentary, "visibility": p.Visibility, "lifecycleState": "PUBLISHED",
		"createdAt": p.At.UnixMilli(), "publishedAt": p.At.UnixMilli(), "lastModifiedAt": p.At.UnixMilli(),
		"isReshareDisabledByAuthor": false,
	}
	if len(p.Content) > 0 {
		out["content"] = p.Content
	}
	return out
}

// listPosts is the finder of an author's newest posts.
func (x *exchange) listPosts() {
	x.trace()
	token := x.member()
	if token == "" || !x.rest() {
		return
	}
	q := x.r.URL.Query()
	author := q.Get("author")
	count, err := strconv.Atoi(q.Get("count"))
	switch {
	case !strings.EqualFold(x.r.Header.Get("X-RestLi-Method"), "FINDER"), q.Get("q") != "author":
		x.refuse(problem{status: http.StatusBadRequest, code: "PARAM_INVALID", message: "q and X-RestLi-Method have to name a finder"})
	case !authorURN.MatchString(author), q.Get("count") != "" && (err != nil || count < 1 || count > 100):
		x.refuse(problem{status: http.StatusBadRequest, code: "PARAM_INVALID", message: "author or count has a value that is not allowed"})
	case !mayRead(token, author):
		x.refuse(problem{status: http.StatusForbidden, message: "Not enough permissions to access: partnerApiPostsExternal.FINDER-author.20260801"})
	default:
		if q.Get("count") == "" {
			count = 10
		}
		elements := []any{}
		for _, p := range slices.Backward(x.s.feed.list()) {
			if p.Author == author && len(elements) < count {
				elements = append(elements, p.asRead())
			}
		}
		x.respond(http.StatusOK, map[string]any{"elements": elements, "paging": map[string]any{"start": 0, "count": count, "links": []any{}}})
	}
}

// deletePost is idempotent: what is not there is deleted.
func (x *exchange) deletePost() {
	x.trace()
	if x.member() == "" || !x.rest() {
		return
	}
	x.row.URN = clip(x.r.PathValue("urn"), 100)
	x.s.feed.remove(x.r.PathValue("urn"))
	x.row.Status = http.StatusNoContent
	x.record()
	x.w.WriteHeader(http.StatusNoContent)
}

func (x *exchange) newURN() string {
	return fmt.Sprintf("urn:li:share:%d", x.s.dice.number(x.s.now()))
}
