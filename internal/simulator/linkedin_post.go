package simulator

import (
	"bytes"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"sort"
	"strings"
)

// postRequest is the body of POST /rest/posts.
type postRequest struct {
	Author         string          `json:"author"`
	Commentary     string          `json:"commentary"`
	Visibility     string          `json:"visibility"`
	LifecycleState string          `json:"lifecycleState"`
	Content        json.RawMessage `json:"content"`
}

var (
	postRequired = []string{"author", "commentary", "visibility", "distribution", "lifecycleState"}
	postKnown    = slices.Concat(postRequired, []string{"content", "isReshareDisabledByAuthor", "reshareContext", "contentLandingPage", "contentCallToActionLabel", "adContext", "container"})
	authorURN    = regexp.MustCompile(`^urn:li:(person|organization):[A-Za-z0-9_-]+$`)
	visibilities = []string{"PUBLIC", "CONNECTIONS", "LOGGED_IN", "CONTAINER"}
)

const maxPostLength = 3000

func (x *exchange) createPost() {
	x.trace()
	if x.member() == "" || !x.rest() {
		return
	}
	var keys map[string]json.RawMessage
	var q postRequest
	if json.Unmarshal(x.body, &keys) != nil || keys == nil {
		x.refuse(problem{status: http.StatusBadRequest, message: "Request body could not be converted to data map"})
		return
	}
	if text := schemaFaults(keys, postRequired, postKnown); text != "" {
		x.refuse(problem{status: http.StatusUnprocessableEntity, message: text})
		return
	}
	if err := json.Unmarshal(x.body, &q); err != nil {
		x.refuse(problem{status: http.StatusUnprocessableEntity, message: "ERROR :: / :: " + err.Error()})
		return
	}
	if p := q.fault(); p != nil {
		x.refuse(*p)
		return
	}
	if p := x.s.pictures.contentFault(q.Content, q.Author); p != nil {
		x.refuse(*p)
		return
	}
	if q.LifecycleState == "DRAFT" { // nobody sees a draft
		x.created(x.newURN())
		return
	}
	little := parseLittle(q.Commentary)
	content := q.Content
	if bytes.Equal(bytes.TrimSpace(content), []byte("null")) {
		content = nil
	}
	x.publish(Post{
		Author: q.Author, Text: little.Text, Commentary: q.Commentary, Truncated: little.Truncated, Hashtags: little.Hashtags,
		Mentions: little.Mentions, Content: content, Visibility: q.Visibility, Via: "posts",
	}, func(string) {})
}

// schemaFaults lists the keys that are missing and those that nobody knows, in LinkedIn's wording.
func schemaFaults(keys map[string]json.RawMessage, required, known []string) string {
	var lines []string
	for _, k := range required {
		if _, ok := keys[k]; !ok {
			lines = append(lines, "ERROR :: /"+k+" :: field is required but not found and has no default value")
		}
	}
	var unknown []string
	for k := range keys {
		if !slices.Contains(known, k) {
			unknown = append(unknown, "ERROR :: /"+clip(k, 100)+" :: unrecognized field found but not allowed")
		}
	}
	sort.Strings(unknown)
	return strings.Join(append(lines, unknown...), "\n")
}

func (q postRequest) fault() *problem {
	bad := func(code, message string) *problem {
		return &problem{status: http.StatusBadRequest, code: code, message: message}
	}
	switch {
	case !authorURN.MatchString(q.Author):
		return bad("INVALID_URN_TYPE", "author is not a person or organization URN")
	case !slices.Contains(visibilities, q.Visibility):
		return bad("INVALID_VALUE_FOR_FIELD", "visibility has an unknown value")
	case q.LifecycleState != "PUBLISHED" && q.LifecycleState != "DRAFT":
		return bad("INVALID_VALUE_FOR_FIELD", "lifecycleState has an unknown value")
	case strings.TrimSpace(q.Commentary) == "":
		return bad("INVALID_VALUE_BLANK_FIELD", "commentary is blank")
	case utf16Length(unescapeLittle(q.Commentary)) > maxPostLength:
		return bad("FIELD_LENGTH_TOO_LONG", "commentary exceeds the maximum length")
	}
	return nil
}

// publish puts the post into the feed and answers, or does not, as the fault wants it. The body of an answer is
// written by write, which gets the URN.
func (x *exchange) publish(p Post, write func(urn string)) {
	p.URN, p.At = x.newURN(), x.s.now().UTC()
	if x.has(KindDuplicate) {
		x.refuseDuplicate(p.URN) // names a post that is not there, as the real service has been seen to do
		return
	}
	if urn := x.s.feed.add(p); urn != "" {
		x.refuseDuplicate(urn)
		return
	}
	x.row.URN = p.URN
	switch {
	case x.has(KindTimeoutAfterPost):
		x.hang()
	case x.has(KindResetAfterPost):
		x.reset()
	case x.fault != nil && x.fault.afterAccept():
		x.fail(x.fault.status())
	case x.has(KindNoID):
		x.row.Status = http.StatusCreated
		x.record()
		x.w.WriteHeader(http.StatusCreated)
	default:
		x.created(p.URN)
		write(p.URN)
	}
}

func (x *exchange) created(urn string) {
	x.row.Status, x.row.URN = http.StatusCreated, urn
	h := x.w.Header()
	h.Set("X-RestLi-Id", urn)
	h.Set("Location", "/posts/"+strings.ReplaceAll(urn, ":", "%3A"))
	x.record()
	x.w.WriteHeader(http.StatusCreated)
}

func (x *exchange) refuseDuplicate(urn string) {
	x.row.URN = urn
	x.respond(http.StatusUnprocessableEntity, map[string]any{
		"errorDetailType": "com.linkedin.common.error.BadRequest",
		"message":         "com.linkedin.content.common.exception.BadRequestResponseException: Content is a duplicate of " + urn,
		"errorDetails": map[string]any{"inputErrors": []any{map[string]any{
			"description": "Duplicate post is detected", "input": map[string]any{}, "code": "DUPLICATE_POST",
		}}},
		"status": http.StatusUnprocessableEntity,
	})
}

// ugcRequest is the body of POST /v2/ugcPosts, whose text is plain.
type ugcRequest struct {
	Author          string `json:"author"`
	LifecycleState  string `json:"lifecycleState"`
	SpecificContent struct {
		Share struct {
			ShareCommentary struct {
				Text string `json:"text"`
			} `json:"shareCommentary"`
			ShareMediaCategory string          `json:"shareMediaCategory"`
			Media              json.RawMessage `json:"media"`
		} `json:"com.linkedin.ugc.ShareContent"`
	} `json:"specificContent"`
	Visibility struct {
		Network string `json:"com.linkedin.ugc.MemberNetworkVisibility"`
	} `json:"visibility"`
}

var ugcRequired = []string{"author", "lifecycleState", "specificContent", "visibility"}

func (x *exchange) createUGC() {
	x.trace()
	if x.member() == "" || !x.restli() {
		return
	}
	var keys map[string]json.RawMessage
	if json.Unmarshal(x.body, &keys) != nil || keys == nil {
		x.refuse(problem{status: http.StatusBadRequest, message: "Request body could not be converted to data map"})
		return
	}
	if text := schemaFaults(keys, ugcRequired, ugcRequired); text != "" {
		x.refuse(problem{status: http.StatusUnprocessableEntity, message: text})
		return
	}
	var q ugcRequest
	if err := json.Unmarshal(x.body, &q); err != nil {
		x.refuse(problem{status: http.StatusUnprocessableEntity, message: "ERROR :: / :: " + err.Error()})
		return
	}
	share := q.SpecificContent.Share
	text := share.ShareCommentary.Text
	p := postRequest{Author: q.Author, Visibility: q.Visibility.Network, LifecycleState: q.LifecycleState, Commentary: text}.fault()
	if utf16Length(text) > maxPostLength {
		p = &problem{status: http.StatusBadRequest, code: "FIELD_LENGTH_TOO_LONG", message: "text exceeds the maximum length"}
	}
	if p == nil && !slices.Contains([]string{"NONE", "ARTICLE", "IMAGE", "VIDEO"}, share.ShareMediaCategory) {
		p = &problem{status: http.StatusBadRequest, code: "INVALID_VALUE_FOR_FIELD", message: "shareMediaCategory has an unknown value"}
	}
	if p == nil {
		p = x.s.pictures.shareFault(share.ShareMediaCategory, share.Media, q.Author)
	}
	if p != nil {
		x.refuse(*p)
		return
	}
	x.publish(Post{
		Author: q.Author, Text: text, Commentary: text, Hashtags: plainTags(text), Content: share.Media,
		Visibility: q.Visibility.Network, Via: "ugcPosts",
	}, func(urn string) { _, _ = x.w.Write(encode(map[string]string{"id": urn})) })
}

var plainTag = regexp.MustCompile(`(?:^|[^\p{L}\p{N}])#([\p{L}\p{N}_]+)`)

func plainTags(text string) []string {
	var tags []string
	for _, m := range plainTag.FindAllStringSubmatch(text, -1) {
		tags = append(tags, m[1])
	}
	return tags
}
