package api

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// requestExamples are bodies that the calls take as they stand, by operation. What is not here is made from the schema.
var requestExamples = map[string]string{
	"post-v1-jobs-lead-qualification":  `{"lead":{"business_name":"Café du Parc","business_type":"café","city":"Laval","email":"info@cafeduparc.example","notes":"cherche une agence"},"language":"fr-CA"}`,
	"post-v1-jobs-content-generation":  `{"topic":"Remplir sa terrasse en semaine","audience":"restaurateurs","language":"fr-CA","variants":2}`,
	"post-v1-jobs-linkedin-publish":    `{"content_id":"01990000-0000-7000-8000-000000000001","slot":"next"}`,
	"post-v1-jobs-batch":               `[{"type":"lead-qualification","lead":{"business_name":"Café du Parc","city":"Laval"}},{"type":"content-generation","topic":"Remplir sa terrasse en semaine","idempotency_key":"terrasse-1"}]`,
	"post-v1-golden-sets":              `{"name":"spring","rubric":"local-business","leads":[{"lead":{"business_name":"Café du Parc","city":"Laval"},"expected":{"levels":{"trade":"core"},"grade":"A1"}}]}`,
	"post-v1-golden-sets-id-runs":      `{"candidates":[{"provider":"openrouter","model":"openai/gpt-4o-mini"}]}`,
	"post-v1-jobs-retry":               `{"type":"lead-qualification","limit":100}`,
	"post-v1-llm-complete":             `{"task_type":"simple","messages":[{"role":"user","content":"What is 2+2? Just answer with the number."}],"options":{"max_tokens":20}}`,
	"post-v1-llm-batch":                `{"requests":[{"task_type":"simple","messages":[{"role":"user","content":"What is 2+2?"}]}],"concurrency":4}`,
	"post-v1-chat-completions":         `{"model":"astro/simple","messages":[{"role":"user","content":"Say hello."}]}`,
	"post-v1-embeddings":               `{"model":"ollama/nomic-embed-text","input":["Café du Parc"]}`,
	"post-v1-budgets":                  `{"name":"daily","period":"day","limit_usd":"5","policy":"free_only"}`,
	"patch-v1-budgets-id":              `{"limit_usd":"7.50"}`,
	"post-v1-cache-invalidate":         `{"task_type":"simple"}`,
	"patch-v1-calendar-id":             `{"slot":"next"}`,
	"post-v1-calls-id-settle":          `{"cost_usd":"0.0021"}`,
	"post-v1-campaigns":                `{"name":"Printemps 2027"}`,
	"patch-v1-campaigns-id":            `{"name":"Printemps 2027, Laval"}`,
	"patch-v1-contents-id":             `{"body":"Votre terrasse se remplit aussi le mardi."}`,
	"post-v1-contents-id-approve":      `{"hash":"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}`,
	"post-v1-contents-id-reject":       `{"reason":"too close to last week's"}`,
	"post-v1-feedback":                 `{"job_id":"01990000-0000-7000-8000-000000000001","wrong_answer":true,"message":"the score ignores the closing date"}`,
	"post-v1-imports-id-preview":       `{"delimiter":";"}`,
	"post-v1-imports-id-run":           `{"accept_doubts":true}`,
	"post-v1-keys":                     `{"name":"n8n","scopes":["enqueue","read"]}`,
	"post-v1-keys-id-rotate":           `{"grace_s":3600}`,
	"post-v1-leads-rescore":            `{"scored_by_rules":true,"limit":100}`,
	"post-v1-leads-tombstones-lift":    `{"email":"info@cafeduparc.example","reason":"the owner asked to be contacted again"}`,
	"patch-v1-leads-id":                `{"city":"Laval","notes":null}`,
	"post-v1-leads-id-contest":         `{"observations":"We opened a second shop.","by":"the owner"}`,
	"post-v1-leads-id-merge":           `{"into":"01990000-0000-7000-8000-000000000001"}`,
	"post-v1-leads-id-override":        `{"action":"set","score":80,"reason":"met them at the fair"}`,
	"post-v1-linkedin-accounts":        `{"token":"AQXdSP_W41_UPs5ioT_t8HESyODB4FqbkJ8LrV"}`,
	"put-v1-linkedin-accounts-id-plan": `{"zone":"America/Toronto","slots":[{"days":["mon","thu"],"time":"09:00"},{"days":["tue"],"time":"14:30"}]}`,
	"post-v1-publications-id-settle":   `{"verdict":"drop"}`,
	"post-v1-schedules":                `{"name":"monday posts","cron":"0 9 * * 1","zone":"America/Toronto","job":{"type":"content-generation","topic":"Remplir sa terrasse","variants":2}}`,
	"patch-v1-schedules-id":            `{"cron":"0 8 * * 1"}`,
	"put-v1-workspace-settings":        `{"privacy_class":"zero_retention","icp":"cafés and restaurants around Montréal","language":"fr-CA"}`,
	"post-v1-workspaces":               `{"slug":"chez-a","name":"Chez A"}`,
	"post-v1-breakers-reset":           `{"name":"openrouter"}`,
}

// exemplify gives the bodies of an operation their examples.
func exemplify(d *huma.OpenAPI, o *huma.Operation) {
	if o.RequestBody != nil {
		for kind, m := range o.RequestBody.Content {
			if kind != "application/json" || m.Example != nil || len(m.Examples) > 0 {
				continue
			}
			var given any
			if text, ok := requestExamples[o.OperationID]; ok && json.Unmarshal([]byte(text), &given) == nil {
				m.Example = given
				continue
			}
			m.Example = sampler{d: d}.of(m.Schema, "", true)
		}
	}
	for _, r := range o.Responses {
		for kind, m := range r.Content {
			if strings.HasSuffix(kind, "json") && m.Example == nil && len(m.Examples) == 0 && kind != "application/problem+json" {
				m.Example = sampler{d: d}.of(m.Schema, "", false)
			}
		}
	}
}

// samples are words that fit the usual names.
var samples = map[string]string{
	"name": "Printemps 2027", "email": "info@cafeduparc.example", "phone": "+1 450 555 0142", "website": "https://cafeduparc.example", "city": "Laval",
	"business_name": "Café du Parc", "business_type": "café", "contact_name": "Ana Roy", "province": "QC", "country": "CA", "language": "fr-CA", "currency": "CAD",
	"provider": "openrouter", "model": "openai/gpt-4o-mini", "usd": "0.0021", "amount": "0.0029", "cost_usd": "0.0021", "limit_usd": "5", "zone": "America/Toronto",
	"cron": "0 9 * * 1", "title": "Remplir sa terrasse", "body": "Votre terrasse se remplit aussi le mardi.", "url": "https://example.com/", "link": "https://example.com/",
	"content": "4", "role": "user", "date": "2027-03-15", "slug": "chez-a", "reason": "met them at the fair", "key": "ag_live_abcdefghijklmnopqrstuvwxyz234567",
	"prefix": "ag_live_abcd", "score": "72", "rubric": "local-business@1", "time": "09:00", "day": "mon", "grade": "A1", "next_cursor": "01990000-0000-7000-8000-000000000001",
}

const (
	sampleID   = "01990000-0000-7000-8000-000000000001"
	sampleTime = "2027-03-15T13:00:00Z"
	maxSample  = 7 // levels of an example; what lies deeper is left out
)

// sampler makes an example that fits a schema.
type sampler struct {
	d     *huma.OpenAPI
	depth int
}

// of makes the example of a member called name; for a request only what is required.
func (s sampler) of(schema *huma.Schema, name string, required bool) any {
	schema = s.resolve(schema)
	if schema == nil {
		return map[string]any{}
	}
	switch {
	case len(schema.Examples) > 0:
		return schema.Examples[0]
	case schema.Const != nil:
		return schema.Const
	case schema.Default != nil:
		return schema.Default
	case len(schema.Enum) > 0:
		return schema.Enum[0]
	case len(schema.OneOf) > 0:
		return s.of(schema.OneOf[0], name, required)
	case len(schema.AnyOf) > 0:
		return s.of(schema.AnyOf[0], name, required)
	}
	switch schema.Type {
	case huma.TypeObject:
		return s.object(schema, required)
	case huma.TypeArray:
		return s.array(schema, name, required)
	case huma.TypeBoolean:
		return false
	case huma.TypeInteger, huma.TypeNumber:
		return sampleNumber(schema, name)
	case huma.TypeString:
		return sampleText(schema, name)
	}
	return map[string]any{}
}

func (s sampler) resolve(schema *huma.Schema) *huma.Schema {
	for schema != nil && schema.Ref != "" {
		schema = s.d.Components.Schemas.SchemaFromRef(schema.Ref)
	}
	return schema
}

func (s sampler) object(schema *huma.Schema, required bool) map[string]any {
	out := map[string]any{}
	inner := sampler{s.d, s.depth + 1}
	for _, name := range slices.Sorted(maps.Keys(schema.Properties)) {
		must := slices.Contains(schema.Required, name)
		if !must && (required || s.depth >= maxSample) {
			continue
		}
		out[name] = inner.of(schema.Properties[name], name, required)
	}
	if values, ok := schema.AdditionalProperties.(*huma.Schema); ok && len(out) == 0 && !required && s.depth < maxSample {
		out["name"] = inner.of(values, "", required)
	}
	return out
}

func (s sampler) array(schema *huma.Schema, name string, required bool) []any {
	if s.depth >= maxSample && (schema.MinItems == nil || *schema.MinItems == 0) {
		return []any{}
	}
	return []any{sampler{s.d, s.depth + 1}.of(schema.Items, strings.TrimSuffix(name, "s"), required)}
}

func sampleNumber(schema *huma.Schema, name string) any {
	n := 1.0
	if v, err := strconv.ParseFloat(samples[name], 64); err == nil {
		n = v
	}
	if schema.Minimum != nil && n < *schema.Minimum {
		n = *schema.Minimum
	}
	if schema.Maximum != nil && n > *schema.Maximum {
		n = *schema.Maximum
	}
	if schema.Type == huma.TypeInteger {
		return int64(n)
	}
	return n
}

func sampleText(schema *huma.Schema, name string) string {
	switch schema.Format {
	case "uuid":
		return sampleID
	case "date-time":
		return sampleTime
	case "date":
		return sampleTime[:10]
	case "uri":
		return "https://example.com/"
	}
	text, known := samples[name]
	switch {
	case known:
	case name == "id" || strings.HasSuffix(name, "_id"):
		text = sampleID
	case strings.HasSuffix(name, "_at") || name == "at":
		text = sampleTime
	default:
		text = "text"
	}
	if schema.MaxLength != nil && len(text) > *schema.MaxLength {
		text = text[:*schema.MaxLength]
	}
	return text
}
