// Package migrations holds the schema of the store as goose migrations. A migration that was released is never edited.
package migrations

import "embed"

// FS holds every migration, in the order of their numbers.
//
//go:embed *.sql
var FS embed.FS
