package growth

import (
	"time"
)

// PublicationState is where a publication stands.
type PublicationState string

// The states of a publication. PublicationUnknown is settled by a read-back or a person, never by sending again.
const (
	PublicationReady      PublicationState = "ready"
	PublicationPublishing PublicationState = "publishing"
	PublicationPublished  PublicationState = "published"
	PublicationRejected   PublicationState = "rejected"
	PublicationUnknown    PublicationState = "unknown"
)

// Publication is the one post that a publish job may make.
type Publication struct {
	ID          PublicationID    `json:"id"`
	Workspace   WorkspaceID      `json:"-"`
	JobID       JobID            `json:"job_id"`
	ContentID   *ContentID       `json:"content_id"`
	AccountID   AccountID        `json:"account_id"`
	State       PublicationState `json:"state"`
	ContentHash string           `json:"content_hash"`
	URN         string           `json:"urn"`
	URL         string           `json:"url"`
	Error       string           `json:"error"`
	Simulated   bool             `json:"simulated"`
	PublishedAt *time.Time       `json:"published_at"`
	CreatedAt   time.Time        `json:"created_at"`
}

// Post is what is sent to LinkedIn: plain text (escaping is the client's business) with at most one article.
type Post struct {
	AuthorURN  string   `json:"author"`
	Text       string   `json:"text"`
	Visibility string   `json:"visibility" enum:"PUBLIC,CONNECTIONS"`
	Article    *Article `json:"article,omitempty"`
}

// Article is a link that a post carries; LinkedIn fetches nothing, so title and description go with it.
type Article struct {
	URL         string `json:"url"`
	Title       string `json:"title,omitempty"`
	Description string `json:"description,omitempty"`
}
