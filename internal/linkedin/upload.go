package linkedin

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	growth "github.com/zakibelm/astrogrowth"
)

const opUpload = "linkedin.UploadImage"

// UploadImage gives LinkedIn a picture and returns the URN under which a post by the same owner can show it. It makes
// nothing that anybody sees, so a failure may simply be tried again.
func (c *Client) UploadImage(ctx context.Context, token, owner string, api growth.PostAPI, data []byte) (string, error) {
	if !usable(token) {
		return "", growth.Errorf(growth.KeyRejected, opUpload, "the account has no usable token: it must be connected again")
	}
	ctx, cancel := context.WithTimeout(ctx, maxDuration)
	defer cancel()
	place, err := c.beginUpload(ctx, token, owner, api)
	if err != nil {
		return "", err
	}
	if !c.mayUpload(place.url) {
		return "", growth.Errorf(growth.Malformed, opUpload, "LinkedIn names an address for the upload that is not LinkedIn's")
	}
	if err := c.spend(ctx, owner); err != nil {
		return "", asGrowth(opUpload, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, place.url, nil)
	if err != nil {
		return "", growth.Errorf(growth.Malformed, opUpload, "LinkedIn names an address for the upload that is none")
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/octet-stream")
	a, _, err := c.do(req, string(data))
	if err != nil {
		return "", unreachable(ctx, opUpload, err)
	}
	if a.status != http.StatusCreated && a.status != http.StatusOK {
		return "", c.fault(opUpload, a)
	}
	return place.urn, nil
}

// uploadPlace is where a picture goes, and what it will be called.
type uploadPlace struct{ url, urn string }

func (c *Client) beginUpload(ctx context.Context, token, owner string, api growth.PostAPI) (uploadPlace, error) {
	path, body := "/rest/images?action=initializeUpload", any(map[string]any{"initializeUploadRequest": map[string]string{"owner": owner}})
	if api == growth.UGCPosts {
		path, body = "/v2/assets?action=registerUpload", map[string]any{"registerUploadRequest": map[string]any{
			"recipes": []string{"urn:li:digitalmediaRecipe:feedshare-image"}, "owner": owner,
			"serviceRelationships": []any{map[string]string{"relationshipType": "OWNER", "identifier": "urn:li:userGeneratedContent"}},
		}}
	}
	text, err := encodeJSON(body)
	if err != nil {
		return uploadPlace{}, growth.Errorf(growth.Internal, opUpload, "the request is not JSON")
	}
	if err := c.spend(ctx, owner); err != nil {
		return uploadPlace{}, asGrowth(opUpload, err)
	}
	req, err := c.versioned(ctx, http.MethodPost, path, token)
	if err != nil {
		return uploadPlace{}, unreachable(ctx, opUpload, err)
	}
	a, _, err := c.do(req, text)
	if err != nil {
		return uploadPlace{}, unreachable(ctx, opUpload, err)
	}
	if a.status != http.StatusOK && a.status != http.StatusCreated {
		return uploadPlace{}, c.fault(opUpload, a)
	}
	return readPlace(a.body, imagePrefix(api))
}

func readPlace(body []byte, prefix string) (uploadPlace, error) {
	var said struct {
		Value struct {
			UploadURL string `json:"uploadUrl"`
			Image     string `json:"image"`
			Asset     string `json:"asset"`
			Mechanism map[string]struct {
				UploadURL string `json:"uploadUrl"`
			} `json:"uploadMechanism"`
		} `json:"value"`
	}
	if err := json.Unmarshal(body, &said); err != nil {
		return uploadPlace{}, growth.Errorf(growth.Malformed, opUpload, "LinkedIn's answer is not JSON")
	}
	p := uploadPlace{url: said.Value.UploadURL, urn: said.Value.Image}
	if m, ok := said.Value.Mechanism["com.linkedin.digitalmedia.uploading.MediaUploadHttpRequest"]; ok {
		p = uploadPlace{url: m.UploadURL, urn: said.Value.Asset}
	}
	if p.url == "" || !strings.HasPrefix(p.urn, prefix) {
		return uploadPlace{}, growth.Errorf(growth.Malformed, opUpload, "LinkedIn's answer names no place for the image")
	}
	return p, nil
}

// mayUpload says whether the account's token may be shown to an address that came with an answer: LinkedIn's own hosts
// over TLS, and the host that is configured.
func (c *Client) mayUpload(raw string) bool {
	u, err := url.Parse(raw)
	if err != nil || u.User != nil {
		return false
	}
	if base, err := url.Parse(c.base); err == nil && u.Scheme == base.Scheme && strings.EqualFold(u.Host, base.Host) {
		return true
	}
	host := strings.ToLower(u.Host)
	return u.Scheme == "https" && (host == "linkedin.com" || strings.HasSuffix(host, ".linkedin.com"))
}
