package api

import (
	"slices"
	"strings"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/store"
)

// List is a page of a list.
type List[T any] struct {
	Data       []T     `json:"data"`
	NextCursor *string `json:"next_cursor" doc:"Send as cursor to get the next page; null on the last one"`
}

// PageParams ask for a page.
type PageParams struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
	Cursor string `query:"cursor" doc:"next_cursor of the page before"`
}

// PageOfInput asks for a page of what one thing has.
type PageOfInput struct {
	IDInput
	PageParams
}

func (p PageParams) page() (store.Page, error) {
	if p.Cursor != "" && !growth.ValidID(p.Cursor) {
		return store.Page{}, growth.InvalidField("api.page", "cursor", "use next_cursor of the page before")
	}
	return store.Page{Limit: p.Limit + 1, Cursor: p.Cursor}, nil // one more says whether another page follows
}

// listOf makes a page of what was asked for with one more than the limit; id names the last element for the next cursor.
func listOf[T any](data []T, limit int, id func(T) string) List[T] {
	if limit <= 0 || len(data) <= limit {
		return List[T]{Data: data}
	}
	c := id(data[limit-1])
	return List[T]{Data: data[:limit], NextCursor: &c}
}

// pageOf cuts a page out of a list that is short by its nature and was read whole; key names an element.
func pageOf[T any](all []T, in PageParams, key func(T) string) (List[T], error) {
	from, err := placeAfter(all, in.Cursor, key)
	return listOf(all[from:], in.Limit, key), err
}

// placeAfter is where a list goes on behind a cursor. In the order of its ids a list goes on even when the element that
// ended the page before was deleted meanwhile, as by a caller who deletes page after page.
func placeAfter[T any](all []T, cursor string, key func(T) string) (int, error) {
	if cursor == "" {
		return 0, nil
	}
	if at := slices.IndexFunc(all, func(x T) bool { return key(x) == cursor }); at >= 0 {
		return at + 1, nil
	}
	byID := func(a, b T) int { return strings.Compare(key(a), key(b)) }
	if !growth.ValidID(cursor) || !slices.IsSortedFunc(all, byID) || len(all) > 0 && !growth.ValidID(key(all[0])) {
		return 0, growth.InvalidField("api.placeAfter", "cursor", "use next_cursor of the page before")
	}
	if at := slices.IndexFunc(all, func(x T) bool { return key(x) > cursor }); at >= 0 {
		return at, nil
	}
	return len(all), nil
}
