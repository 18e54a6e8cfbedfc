// Package prompts holds the templates that are sent to language models. Each has a version in its file name: a changed
// text is a new file, so that a kept answer names the words that it answers.
package prompts

import (
	"crypto/hmac"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"strings"
	"text/template"
)

//go:embed *.txt
var files embed.FS

var templates = template.Must(template.ParseFS(files, "*.txt"))

// The versions in use.
const (
	Qualification = "qualification.v1"
	Content       = "content.v2"
	Judge         = "judge.v1"
)

// Render fills a template in.
func Render(name string, data any) (string, error) {
	var b strings.Builder
	if err := templates.ExecuteTemplate(&b, name+".txt", data); err != nil {
		return "", fmt.Errorf("render prompt %s: %w", name, err)
	}
	return b.String(), nil
}

// Fence puts data between two lines that a stranger who wrote the data cannot have foreseen: their mark is derived from
// the data with a secret. It is not random, so that the same request has the same cache key everywhere.
func Fence(kind string, secret, data []byte) string {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(kind))
	mac.Write(data)
	mark := kind + "-" + hex.EncodeToString(mac.Sum(nil)[:8])
	return mark + " BEGIN\n" + string(data) + "\n" + mark + " END"
}
