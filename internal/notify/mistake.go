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
	whileMade = regexp.MustCompile(`^\w+:(\d+):(\d+): executing "\w+" at <(.*?)>: (?s:(.*))$`)
	whileRead = regexp.MustCompile(`^\w+:(\d+): (?s:(.*))$`)
	noField   = regexp.MustCompile(`^can't evaluate field (\w+) in type (.*)$`)
)

// mistake says where a template is wrong, and why.
func mistake(err error) string {
	text := strings.TrimPrefix(err.Error(), "template: ")
	if m := whileMade.FindStringSubmatch(text); m != nil {
		return "line " + m[1] + ", column " + m[2] + ", at " + m[3] + ": " + reason(m[4])
	}
	if m := whileRead.FindStringSubmatch(text); m != nil {
		return "line " + m[1] + ": " + m[2]
	}
	return text
}

func reason(of string) string {
	if m := noField.FindStringSubmatch(of); m != nil {
		fields := fieldsOf(m[2])
		if len(fields) == 0 {
			return "there is no field " + m[1] + " there"
		}
		return "there is no field " + m[1] + " there, only " + strings.Join(fields, ", ")
	}
	if strings.Contains(of, "index out of range") {
		return "there may be fewer, or none: put it into {{with .Findings}} or {{range .Findings}}"
	}
	return of
}

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
	names := make([]string, t.NumField())
	for i := range names {
		names[i] = t.Field(i).Name
	}
	return names
}
