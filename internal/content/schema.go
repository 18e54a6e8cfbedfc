package content

import (
	"encoding/json"
	"maps"
	"slices"
)

// Schema is the JSON Schema of a draft.
func Schema() json.RawMessage {
	text := map[string]any{"type": "string"}
	return encode(object(map[string]any{
		"title": text, "body": text, "image_prompt": text, "hashtags": map[string]any{"type": "array", "items": text},
	}))
}

// JudgeSchema is the JSON Schema of a verdict.
func JudgeSchema() json.RawMessage {
	text, yes := map[string]any{"type": "string"}, map[string]any{"type": "boolean"}
	return encode(object(map[string]any{
		"claims":   map[string]any{"type": "array", "items": object(map[string]any{"claim": text, "supported": yes, "evidence": text})},
		"tone_ok":  yes,
		"score":    map[string]any{"type": "integer", "minimum": 0, "maximum": 100},
		"problems": map[string]any{"type": "array", "items": text},
	}))
}

// object is the schema of an object in which every property is required and no other is allowed, as strict modes ask.
func object(properties map[string]any) map[string]any {
	return map[string]any{
		"type": "object", "properties": properties, "additionalProperties": false,
		"required": slices.Sorted(maps.Keys(properties)),
	}
}

// encode takes what is made of strings, numbers and lists only, and so cannot fail.
func encode(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}
