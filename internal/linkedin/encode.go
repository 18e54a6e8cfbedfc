package linkedin

import (
	"bytes"
	"encoding/json"

	growth "github.com/zakibelm/astrogrowth"
)

type postBody struct {
	Author         string       `json:"author"`
	Commentary     string       `json:"commentary"`
	Visibility     string       `json:"visibility"`
	Distribution   distribution `json:"distribution"`
	LifecycleState string       `json:"lifecycleState"`
	NoReshare      bool         `json:"isReshareDisabledByAuthor"`
	Content        *postContent `json:"content,omitempty"`
}

type distribution struct {
	Feed     string   `json:"feedDistribution"`
	Targets  []string `json:"targetEntities"`
	Channels []string `json:"thirdPartyDistributionChannels"`
}

// postContent has exactly one of its members.
type postContent struct {
	Article    *articleBody `json:"article,omitempty"`
	Media      *imageBody   `json:"media,omitempty"`
	MultiImage *imagesBody  `json:"multiImage,omitempty"`
}

type articleBody struct {
	Source      string `json:"source"`
	Title       string `json:"title"`
	Description string `json:"description,omitempty"`
}

type imageBody struct {
	ID      string `json:"id"`
	AltText string `json:"altText,omitempty"`
}

type imagesBody struct {
	Images []imageBody `json:"images"`
}

// encodePost is the body of POST /rest/posts, whose text is in the little text format.
func encodePost(post growth.Post) (string, error) {
	return encodeJSON(postBody{
		Author:         post.AuthorURN,
		Commentary:     Commentary(post.Text, post.Mentions),
		Visibility:     visibility(post),
		Distribution:   distribution{Feed: "MAIN_FEED", Targets: []string{}, Channels: []string{}},
		LifecycleState: "PUBLISHED",
		Content:        contentOf(post),
	})
}

func contentOf(post growth.Post) *postContent {
	if a := post.Article; a != nil {
		// LinkedIn reads nothing from the address and wants a title, so a nameless link is called by its address.
		article := articleBody{Source: a.URL, Title: a.Title, Description: a.Description}
		if article.Title == "" {
			article.Title = a.URL[:min(len(a.URL), maxTitle)]
		}
		return &postContent{Article: &article}
	}
	var images []imageBody
	for _, i := range post.Images {
		images = append(images, imageBody{ID: i.URN, AltText: i.AltText})
	}
	switch len(images) {
	case 0:
		return nil
	case 1:
		return &postContent{Media: &images[0]}
	}
	return &postContent{MultiImage: &imagesBody{images}}
}

func visibility(post growth.Post) string {
	if post.Visibility == "" {
		return "PUBLIC"
	}
	return post.Visibility
}

type ugcBody struct {
	Author         string         `json:"author"`
	LifecycleState string         `json:"lifecycleState"`
	Specific       map[string]any `json:"specificContent"`
	Visibility     map[string]any `json:"visibility"`
}

type ugcText struct {
	Text string `json:"text"`
}

type ugcShare struct {
	Commentary ugcText    `json:"shareCommentary"`
	Category   string     `json:"shareMediaCategory"`
	Media      []ugcMedia `json:"media,omitempty"`
}

type ugcMedia struct {
	Status      string   `json:"status"`
	OriginalURL string   `json:"originalUrl,omitempty"`
	Media       string   `json:"media,omitempty"`
	Title       *ugcText `json:"title,omitempty"`
	Description *ugcText `json:"description,omitempty"`
}

// encodeUGC is the body of POST /v2/ugcPosts, whose text is plain: a backslash there is shown.
func encodeUGC(post growth.Post) (string, error) {
	share := ugcShare{Commentary: ugcText{post.Text}, Category: "NONE"}
	if a := post.Article; a != nil {
		share.Category = "ARTICLE"
		share.Media = []ugcMedia{{Status: "READY", OriginalURL: a.URL, Title: &ugcText{a.Title}, Description: textOrNone(a.Description)}}
	}
	for _, i := range post.Images {
		share.Category = "IMAGE"
		share.Media = append(share.Media, ugcMedia{Status: "READY", Media: i.URN, Description: textOrNone(i.AltText)})
	}
	return encodeJSON(ugcBody{
		Author: post.AuthorURN, LifecycleState: "PUBLISHED",
		Specific:   map[string]any{"com.linkedin.ugc.ShareContent": share},
		Visibility: map[string]any{"com.linkedin.ugc.MemberNetworkVisibility": visibility(post)},
	})
}

func textOrNone(s string) *ugcText {
	if s == "" {
		return nil
	}
	return &ugcText{s}
}

func encodeJSON(v any) (string, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return b.String(), err
}
