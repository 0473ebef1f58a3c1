package notify

import (
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// Go's errors of templates tell of its types; who writes a rule knows fields alone.

var (
	// Such as: template: text:2:3: executing "text" at <.Foo>: can't evaluate field Foo in type notify.Finding
	whileMade = regexp.MustCompile(`^\w+:(\d+):\d+: executing "\w+" at <(.*?)>: (?s:(.*))$`)
	whileRead = regexp.MustCompile(`^\w+:(\d+): (?s:(.*))$`)
	began     = regexp.MustCompile(` started at \w+:(\d+)`)
	noField   = regexp.MustCompile(`^can't evaluate field (\w+) in type (.*)$`)
	called    = regexp.MustCompile(`^error calling \w+: `)
)

// mistake says where a template is wrong, and why.
func mistake(err error) string {
	text := strings.TrimPrefix(err.Error(), "template: ")
	if m := whileMade.FindStringSubmatch(text); m != nil {
		if m[2] == listing {
			m[2] = "range"
		}
		return "line " + m[1] + ", at " + m[2] + ": " + reason(m[2], m[3])
	}
	if m := whileRead.FindStringSubmatch(text); m != nil {
		return "line " + m[1] + ": " + began.ReplaceAllString(m[2], " that began in line $1")
	}
	return text
}

func reason(at, of string) string {
	if m := noField.FindStringSubmatch(of); m != nil {
		fields := fieldsOf(m[2])
		if len(fields) == 0 {
			return "there is no field " + m[1] + " there"
		}
		return "there is no field " + m[1] + " there, only " + strings.Join(fields, ", ")
	}
	of = called.ReplaceAllString(of, "")
	if !strings.Contains(of, "index out of range") {
		return of
	}
	if strings.HasPrefix(at, "slice") {
		return "the text may be shorter: cut it by short"
	}
	return "there may be fewer: ask first, such as {{if gt (len .Findings) 1}}, or go over them by range"
}

// inside are fields that are not there yet while words are made, or of no use to them.
var inside = []string{"ID", "Ref", "Occurrence"}

// fieldsOf names the fields of what a template sees, by the name of its type.
func fieldsOf(name string) []string {
	seen := []reflect.Type{reflect.TypeFor[Finding](), reflect.TypeFor[Node](), reflect.TypeFor[Fact]()}
	i := slices.IndexFunc(seen, func(t reflect.Type) bool { return name == t.String() })
	t := reflect.TypeFor[Notification]()
	switch {
	case i >= 0:
		t = seen[i]
	case !strings.HasPrefix(name, "struct {"):
		return nil
	}
	var names []string
	for i := range t.NumField() {
		if field := t.Field(i).Name; !slices.Contains(inside, field) {
			names = append(names, field)
		}
	}
	return names
}
