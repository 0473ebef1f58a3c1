// Package problem holds the errors that a caller can do something about. A room
// returns them; the HTTP surface turns them into RFC 9457 problems. Any other
// error is the console's own fault, is logged, and shows no detail.
package problem

import "fmt"

// Kind says whose mistake it is, in HTTP's terms.
type Kind int

// The kinds of problem.
const (
	KindInvalid  Kind = 422 // a value cannot be accepted
	KindNotFound Kind = 404
	KindConflict Kind = 409 // not in the present state
	KindGone     Kind = 410 // it was there, and is no longer kept
	KindTooLarge Kind = 413
	KindUnknown  Kind = 401 // who is asking is not known
)

// Error is a problem of the caller's making.
type Error struct {
	Kind Kind
	// Field names the member of the request that is at fault; empty if none is.
	Field  string
	Detail string
}

func (e *Error) Error() string {
	if e.Field == "" {
		return e.Detail
	}
	return e.Field + ": " + e.Detail
}

// Invalid says why the value of a field is refused.
func Invalid(field, format string, args ...any) error {
	return &Error{KindInvalid, field, fmt.Sprintf(format, args...)}
}

// NotFound says that there is no such thing.
func NotFound(noun, id string) error {
	return &Error{KindNotFound, "", fmt.Sprintf("there is no %s %q", noun, id)}
}

// Conflict says why something cannot be done now.
func Conflict(format string, args ...any) error {
	return &Error{KindConflict, "", fmt.Sprintf(format, args...)}
}

// Gone says what is no longer kept, and what is.
func Gone(format string, args ...any) error {
	return &Error{KindGone, "", fmt.Sprintf(format, args...)}
}

// TooLarge says which limit was passed.
func TooLarge(format string, args ...any) error {
	return &Error{KindTooLarge, "", fmt.Sprintf(format, args...)}
}

// Unknown says that the caller could not be identified.
func Unknown(format string, args ...any) error {
	return &Error{KindUnknown, "", fmt.Sprintf(format, args...)}
}
