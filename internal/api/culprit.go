package api

import (
	"net/http"
	"reflect"
	"strings"
	"unicode/utf8"
)

// nameField finds the field of an input that Postgres would not store, when nobody who refused it could name it: the
// database sees a text, not where it came from.
func (p *Problem) nameField(input any) {
	if p.Status != http.StatusUnprocessableEntity || len(p.Errors) > 0 {
		return
	}
	if field := unstorable(reflect.ValueOf(input), "", 0); field != "" {
		p.Errors = []Fault{{Field: field, Message: p.Message}}
		p.Detail = field + ": " + p.Message
		p.Message = p.Detail
	}
}

// maxNesting is deeper than any input of ours.
const maxNesting = 12

// unstorable is the name of the first text below v that holds a NUL or is no UTF-8, empty when there is none.
func unstorable(v reflect.Value, at string, depth int) string {
	if depth > maxNesting {
		return ""
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return ""
		}
		return unstorable(v.Elem(), at, depth+1)
	case reflect.String:
		if s := v.String(); strings.Contains(s, "\x00") || !utf8.ValidString(s) {
			return at
		}
	case reflect.Struct:
		return unstorableMember(v, at, depth)
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			if strings.Contains(string(v.Bytes()), `\u0000`) {
				return at
			}
			return ""
		}
		for i := range v.Len() {
			if f := unstorable(v.Index(i), at, depth+1); f != "" {
				return f
			}
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			if unstorable(k, at, depth+1) != "" {
				return at
			}
			if f := unstorable(v.MapIndex(k), at, depth+1); f != "" {
				return f
			}
		}
	default:
	}
	return ""
}

func unstorableMember(v reflect.Value, at string, depth int) string {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if !f.IsExported() || f.Name == "RawBody" {
			continue
		}
		if name := unstorable(v.Field(i), join(at, memberName(f)), depth+1); name != "" {
			return name
		}
	}
	return ""
}

// memberName is what a caller knows a field by.
func memberName(f reflect.StructField) string {
	for _, tag := range []string{"json", "path", "query", "header"} {
		if name, _, _ := strings.Cut(f.Tag.Get(tag), ","); name != "" && name != "-" {
			return name
		}
	}
	if f.Anonymous {
		return ""
	}
	return strings.ToLower(f.Name)
}

func join(at, name string) string {
	if at == "" || name == "" {
		return at + name
	}
	return at + "." + name
}
