package rest

import (
	"reflect"
	"strings"
	"unicode/utf8"

	"patrol/internal/platform/problem"
)

// checkText refuses what no text column of PostgreSQL can hold: the character U+0000,
// and bytes that are not UTF-8. SQLite would take them; a request is to be answered
// alike on both.
func checkText(in any) error {
	if field, bad := badText(reflect.ValueOf(in), ""); bad {
		return problem.Invalid(field, "holds the character U+0000, or bytes that are not UTF-8; text has neither")
	}
	return nil
}

// badText finds the first bad text within the value of a field. Bytes are documents,
// which are read by whoever they are for.
func badText(v reflect.Value, field string) (string, bool) {
	switch v.Kind() {
	case reflect.String:
		text := v.String()
		return field, strings.ContainsRune(text, 0) || !utf8.ValidString(text)
	case reflect.Pointer:
		return badText(v.Elem(), field)
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return "", false
		}
		for i := range v.Len() {
			if field, bad := badText(v.Index(i), field); bad {
				return field, true
			}
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			if field, bad := badText(key, field); bad {
				return field, true
			}
			if field, bad := badText(v.MapIndex(key), field); bad {
				return field, true
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				if field, bad := badText(v.Field(i), nameOf(f, field)); bad {
					return field, true
				}
			}
		}
	case reflect.Interface:
		if kind := v.Elem().Kind(); kind == reflect.String || kind == reflect.Map || kind == reflect.Slice {
			return badText(v.Elem(), field)
		}
	}
	return "", false
}

// nameOf is what a caller calls a field: a member of the body by its path within.
func nameOf(f reflect.StructField, within string) string {
	for _, tag := range []string{"json", "query", "path", "header", "cookie"} {
		name, _, _ := strings.Cut(f.Tag.Get(tag), ",")
		switch {
		case name == "":
		case within == "":
			return name
		default:
			return within + "." + name
		}
	}
	return within
}
