package growth

import (
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/google/uuid"
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
	PublicationDeleted    PublicationState = "deleted" // was published, and taken off LinkedIn through us
)

// CommentState is where the first comment under a post stands.
type CommentState string

// The states of a first comment. Like a post, it is sent once, and never again while it may be there.
const (
	CommentNone    CommentState = ""
	CommentReady   CommentState = "ready"
	CommentSending CommentState = "sending"
	CommentPosted  CommentState = "posted"
	CommentFailed  CommentState = "failed"
	CommentUnknown CommentState = "unknown"
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
	SettledBy   string           `json:"settled_by" enum:",person,read_back" doc:"Who found out how an unknown publication ended"`
	Comment     Comment          `json:"first_comment"`
	VerifiedAt  *time.Time       `json:"verified_at" doc:"When the post was read back from LinkedIn as it was meant; organisation pages only"`
	DeletedAt   *time.Time       `json:"deleted_at"`
	PublishedAt *time.Time       `json:"published_at"`
	CreatedAt   time.Time        `json:"created_at"`
}

// Comment is the first comment under a post. What becomes of it never touches the publication.
type Comment struct {
	Text  string       `json:"text"`
	State CommentState `json:"state" enum:",ready,sending,posted,failed,unknown"`
	URN   string       `json:"urn"`
	Error string       `json:"error"`
}

// PostAPI is one of the two ways in which LinkedIn takes a post.
type PostAPI string

// The ways to post. The zero value is PostsAPI.
const (
	PostsAPI PostAPI = "posts" // POST /rest/posts
	UGCPosts PostAPI = "ugc"   // POST /v2/ugcPosts, for apps that have only that
)

// Post is what is sent to LinkedIn: plain text (escaping is the client's business) with an article or with images.
type Post struct {
	AuthorURN  string    `json:"author"`
	Text       string    `json:"text"`
	Visibility string    `json:"visibility" enum:"PUBLIC,CONNECTIONS"`
	Article    *Article  `json:"article,omitempty"`
	Images     []Image   `json:"images,omitempty"`
	Mentions   []Mention `json:"mentions,omitempty"`
	API        PostAPI   `json:"api,omitempty"`
}

// Image is a picture of a post. Its id is the digest of its bytes; URN is what LinkedIn calls it once it was uploaded.
type Image struct {
	MediaID MediaID `json:"media_id"`
	URN     string  `json:"urn"`
	AltText string  `json:"alt_text,omitempty"`
}

// Mention makes the first "@Name" in a post's text a link to a member or an organisation.
type Mention struct {
	Name string `json:"name"` // exactly as LinkedIn has it
	URN  string `json:"urn"`  // urn:li:person:… or urn:li:organization:…
}

// Media is a picture that a workspace keeps for its posts.
type Media struct {
	ID        MediaID     `json:"id"`
	Workspace WorkspaceID `json:"-"`
	Type      string      `json:"type" enum:"image/jpeg,image/png,image/gif"`
	Bytes     int         `json:"bytes"`
	Width     int         `json:"width"`
	Height    int         `json:"height"`
	Frames    int         `json:"frames"`
	AltText   string      `json:"alt_text"`
	CreatedAt time.Time   `json:"created_at"`
}

// MediaIDOf is the id of a picture: made of its workspace, its alternative text and every one of its bytes, so that
// whoever names a picture by its id has named what people will see, and another byte is another picture.
func MediaIDOf(ws WorkspaceID, altText string, data []byte) MediaID {
	h := sha256.New()
	h.Write(fmt.Appendf(nil, "media/1 %s %d %s", ws, len(altText), altText))
	h.Write(data)
	id := uuid.UUID(h.Sum(nil)[:16])
	id[6], id[8] = id[6]&0x0f|0x80, id[8]&0x3f|0x80 // version 8: a UUID of our own making
	return MediaID(id.String())
}

// Article is a link that a post carries; LinkedIn fetches nothing, so title and description go with it.
type Article struct {
	URL         string `json:"url"`
	Title       string `json:"title,omitempty"`
	Description string `json:"description,omitempty"`
}
