package simulator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	_ "image/gif"  // formats that LinkedIn takes
	_ "image/jpeg" // as above
	_ "image/png"  // as above
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// picture is an image on its way: announced, and then uploaded or not. Its bytes are not kept.
type picture struct {
	urn, owner string
	id         string // of the upload's address
	uploaded   bool
	broken     bool // what was uploaded is no image
}

const (
	maxPictures  = 20_000
	maxPixels    = 36_152_320
	multiLow     = 2
	multiHigh    = 20
	maxAltText   = 4086
	uploadLifeMS = 3_600_000
)

type pictures struct {
	mu    sync.Mutex
	order []string
	byURN map[string]*picture
	byID  map[string]*picture
}

func newPictures() *pictures {
	p := &pictures{}
	p.reset()
	return p
}

func (p *pictures) reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.order, p.byURN, p.byID = nil, map[string]*picture{}, map[string]*picture{}
}

func (p *pictures) add(one *picture) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.order) >= maxPictures {
		old := p.byURN[p.order[0]]
		delete(p.byURN, old.urn)
		delete(p.byID, old.id)
		p.order = p.order[1:]
	}
	p.order = append(p.order, one.urn)
	p.byURN[one.urn], p.byID[one.id] = one, one
}

// receive notes that the bytes of an upload came; it is false where nobody announced them.
func (p *pictures) receive(id string, broken bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	one, ok := p.byID[id]
	if ok {
		one.uploaded, one.broken = true, broken
	}
	return ok
}

func (p *pictures) find(urn string) (picture, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	one, ok := p.byURN[urn]
	if !ok {
		return picture{}, false
	}
	return *one, true
}

// usable says why a post by author cannot show a picture, nil when it can.
func (p *pictures) usable(urn, prefix, author string) *problem {
	bad := func(code, message string) *problem {
		return &problem{status: http.StatusBadRequest, code: code, message: message}
	}
	one, ok := p.find(urn)
	switch {
	case !strings.HasPrefix(urn, prefix):
		return bad("INVALID_URN_TYPE", "the media is not a "+prefix+" URN")
	case !ok || one.owner != author:
		return bad("INVALID_URN_ID", "the media does not exist or belongs to somebody else")
	case !one.uploaded:
		return bad("MEDIA_ASSET_WAITING_UPLOAD", "the media was not uploaded")
	case one.broken:
		return bad("MEDIA_ASSET_PROCESSING_FAILED", "the media could not be processed")
	}
	return nil
}

// contentFault checks the content of a post: exactly one kind, with what that kind needs.
func (p *pictures) contentFault(raw json.RawMessage, author string) *problem {
	var c struct {
		Article *struct{ Source, Title string }
		Media   *struct {
			ID      string `json:"id"`
			AltText string `json:"altText"`
		}
		MultiImage *struct {
			Images []struct {
				ID      string `json:"id"`
				AltText string `json:"altText"`
			}
		}
		Poll json.RawMessage
	}
	if len(bytes.TrimSpace(raw)) == 0 || bytes.Equal(bytes.TrimSpace(raw), []byte("null")) {
		return nil
	}
	bad := func(code, message string) *problem {
		return &problem{status: http.StatusBadRequest, code: code, message: message}
	}
	var kinds map[string]json.RawMessage
	if json.Unmarshal(raw, &kinds) != nil || json.Unmarshal(raw, &c) != nil || len(kinds) != 1 {
		return bad("INVALID_VALUE_FOR_FIELD", "content has to be exactly one of its kinds")
	}
	switch {
	case c.Article != nil:
		if u, err := url.Parse(c.Article.Source); err != nil || u.Host == "" || c.Article.Title == "" || utf16Length(c.Article.Title) > 400 {
			return bad("INVALID_VALUE_FOR_FIELD", "an article needs a source and a title of at most 400 characters")
		}
	case c.Media != nil && strings.HasPrefix(c.Media.ID, "urn:li:image:"):
		if utf16Length(c.Media.AltText) > maxAltText {
			return bad("FIELD_LENGTH_TOO_LONG", "altText exceeds the maximum length")
		}
		return p.usable(c.Media.ID, "urn:li:image:", author)
	case c.MultiImage != nil:
		if n := len(c.MultiImage.Images); n < multiLow || n > multiHigh {
			return bad("INVALID_VALUE_FOR_FIELD", fmt.Sprintf("multiImage takes %d to %d images", multiLow, multiHigh))
		}
		for _, i := range c.MultiImage.Images {
			if f := p.usable(i.ID, "urn:li:image:", author); f != nil {
				return f
			}
		}
	}
	return nil
}

// shareFault checks the media of a UGC post.
func (p *pictures) shareFault(category string, raw json.RawMessage, author string) *problem {
	var media []struct {
		Status      string `json:"status"`
		OriginalURL string `json:"originalUrl"`
		Media       string `json:"media"`
	}
	bad := &problem{status: http.StatusBadRequest, code: "INVALID_VALUE_FOR_FIELD", message: "media does not fit shareMediaCategory"}
	if len(raw) > 0 && json.Unmarshal(raw, &media) != nil {
		return bad
	}
	if (category == "NONE") != (len(media) == 0) || category == "ARTICLE" && len(media) != 1 {
		return bad
	}
	for _, m := range media {
		if m.Status != "READY" || category == "ARTICLE" && m.OriginalURL == "" {
			return bad
		}
		if category == "IMAGE" {
			if f := p.usable(m.Media, "urn:li:digitalmediaAsset:", author); f != nil {
				return f
			}
		}
	}
	return nil
}

func (x *exchange) beginImage() {
	x.trace()
	if x.member() == "" || !x.rest() {
		return
	}
	var q struct {
		Request struct {
			Owner string `json:"owner"`
		} `json:"initializeUploadRequest"`
	}
	if x.r.URL.Query().Get("action") != "initializeUpload" || json.Unmarshal(x.body, &q) != nil || !authorURN.MatchString(q.Request.Owner) {
		x.refuse(problem{status: http.StatusBadRequest, code: "PARAM_INVALID", message: "action or owner is missing"})
		return
	}
	one := x.announce("urn:li:image:C4E10AQ", q.Request.Owner)
	x.respond(http.StatusOK, map[string]any{"value": map[string]any{
		"uploadUrlExpiresAt": x.s.now().UnixMilli() + uploadLifeMS, "uploadUrl": x.uploadURL(one), "image": one.urn,
	}})
}

func (x *exchange) beginAsset() {
	x.trace()
	if x.member() == "" || !x.restli() {
		return
	}
	var q struct {
		Request struct {
			Recipes       []string `json:"recipes"`
			Owner         string   `json:"owner"`
			Relationships []struct {
				Type       string `json:"relationshipType"`
				Identifier string `json:"identifier"`
			} `json:"serviceRelationships"`
		} `json:"registerUploadRequest"`
	}
	err := json.Unmarshal(x.body, &q)
	known := slices.Contains(q.Request.Recipes, "urn:li:digitalmediaRecipe:feedshare-image")
	if x.r.URL.Query().Get("action") != "registerUpload" || err != nil || !known || len(q.Request.Relationships) == 0 || !authorURN.MatchString(q.Request.Owner) {
		x.refuse(problem{status: http.StatusBadRequest, code: "PARAM_INVALID", message: "the upload is not described"})
		return
	}
	one := x.announce("urn:li:digitalmediaAsset:C55", q.Request.Owner)
	x.respond(http.StatusOK, map[string]any{"value": map[string]any{
		"asset": one.urn, "mediaArtifact": "urn:li:digitalmediaMediaArtifact:(" + one.urn + ",urn:li:digitalmediaMediaArtifactClass:feedshare-uploadedImage)",
		"uploadMechanism": map[string]any{"com.linkedin.digitalmedia.uploading.MediaUploadHttpRequest": map[string]any{
			"headers": map[string]any{}, "uploadUrl": x.uploadURL(one),
		}},
	}})
}

func (x *exchange) announce(prefix, owner string) *picture {
	one := &picture{urn: prefix + x.s.dice.word(12), owner: owner, id: x.s.dice.word(20)}
	x.s.pictures.add(one)
	x.row.URN = one.urn
	return one
}

// uploadURL is an address on this very server, as the request named it.
func (x *exchange) uploadURL(one *picture) string {
	return "http://" + x.r.Host + "/linkedin/dms-uploads/" + one.id
}

// upload takes the bytes. Like the real one it says 201 whatever they are; that they are no image shows later.
func (x *exchange) upload() {
	x.trace()
	if x.member() == "" {
		return
	}
	cfg, _, err := image.DecodeConfig(bytes.NewReader(x.body))
	broken := err != nil || int64(cfg.Width)*int64(cfg.Height) >= maxPixels
	if !x.s.pictures.receive(x.r.PathValue("id"), broken) {
		x.refuse(problem{status: http.StatusNotFound})
		return
	}
	x.row.Status = http.StatusCreated
	x.record()
	x.w.WriteHeader(http.StatusCreated)
}

// readImage is for organisations; a member's token may not ask.
func (x *exchange) readImage() {
	x.trace()
	token := x.member()
	if token == "" || !x.rest() {
		return
	}
	one, ok := x.s.pictures.find(x.r.PathValue("urn"))
	switch {
	case !ok:
		x.refuse(problem{status: http.StatusNotFound})
	case !mayRead(token, one.owner):
		x.refuse(problem{status: http.StatusForbidden, message: "Not enough permissions to access: images.GET.20260801"})
	default:
		status := "WAITING_UPLOAD"
		if one.uploaded {
			status = "AVAILABLE"
		}
		if one.broken {
			status = "PROCESSING_FAILED"
		}
		x.respond(http.StatusOK, map[string]any{"id": one.urn, "owner": one.owner, "status": status})
	}
}

// createComment takes comments of organisations; members' are refused, as applications have found.
func (x *exchange) createComment() {
	x.trace()
	if x.member() == "" || !x.rest() {
		return
	}
	var q struct {
		Actor   string `json:"actor"`
		Object  string `json:"object"`
		Message struct {
			Text string `json:"text"`
		} `json:"message"`
	}
	urn := x.r.PathValue("urn")
	c := Comment{URN: "urn:li:comment:(" + urn + "," + fmt.Sprint(x.s.dice.number(x.s.now())) + ")"}
	if json.Unmarshal(x.body, &q) != nil || q.Object != urn || strings.TrimSpace(q.Message.Text) == "" || utf16Length(q.Message.Text) > 1250 {
		x.refuse(problem{status: http.StatusBadRequest, code: "INVALID_VALUE_FOR_FIELD", message: "the comment is not valid"})
		return
	}
	if !strings.HasPrefix(q.Actor, "urn:li:organization:") {
		x.refuse(problem{status: http.StatusForbidden, message: "Not enough permissions to access: partnerApiSocialActions.CREATE.20260701"})
		return
	}
	c.Actor, c.Text = q.Actor, q.Message.Text
	if !x.s.feed.comment(urn, c) {
		x.refuse(problem{status: http.StatusNotFound})
		return
	}
	x.row.URN = c.URN
	switch {
	case x.has(KindTimeoutAfterPost):
		x.hang()
	case x.has(KindResetAfterPost):
		x.reset()
	case x.fault != nil && x.fault.afterAccept():
		x.fail(x.fault.status())
	default:
		x.created(c.URN)
	}
}
