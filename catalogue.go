package growth

import (
	"encoding/json"
	"time"
)

// ModelList is a provider's list of the models that it serves, as it was last read.
type ModelList struct {
	Provider string
	ReadAt   time.Time
	Models   json.RawMessage // an array of objects, each with its slug as "ID"
}

// ModelNoticeKind says what there is to know about a model of a route.
type ModelNoticeKind string

// The kinds of notices.
const (
	NoticeGone     ModelNoticeKind = "gone"     // the provider said that there is no such model
	NoticeExpiring ModelNoticeKind = "expiring" // the provider announced its end
)

// ModelNotice is something that an operator should know about a model of a route before it hurts.
type ModelNotice struct {
	Kind     ModelNoticeKind `json:"kind"`
	Provider string          `json:"provider"`
	Model    string          `json:"model"`
	At       time.Time       `json:"at"`                // when it was noticed
	Expires  *time.Time      `json:"expires,omitempty"` // NoticeExpiring: when the model ends
}
