// Package problem holds the errors that a caller can do something about. A room
// returns them; the HTTP surface turns them into RFC 9457 problems. Any other
// error is the console's own fault, is logged, and shows no detail.
package problem

import (
	"fmt"
	"time"
)

// Kind says whose mistake it is, in HTTP's terms.
type Kind int

// The kinds of problem.
const (
	KindInvalid   Kind = 422 // a value cannot be accepted
	KindNotFound  Kind = 404
	KindConflict  Kind = 409 // not in the present state
	KindGone      Kind = 410 // it was there, and is no longer kept
	KindTooLarge  Kind = 413
	KindUnknown   Kind = 401 // who is asking is not known
	KindForbidden Kind = 403 // who is asking is known, and may not
	KindTooSoon   Kind = 429 // it was tried too often; see Error.After
)

// Error is a problem of the caller's making.
type Error struct {
	Kind Kind
	// Field names the member of the request that is at fault; empty if none is.
	Field  string
	Detail string
	// After is how long to wait before it is tried again; zero where waiting is no
	// help.
	After time.Duration
}

func (e *Error) Error() string {
	if e.Field == "" {
		return e.Detail
	}
	return e.Field + ": " + e.Detail
}

// Invalid says why the value of a field is refused.
func Invalid(field, format string, args ...any) error {
	return &Error{Kind: KindInvalid, Field: field, Detail: fmt.Sprintf(format, args...)}
}

// NotFound says that there is no such thing.
func NotFound(noun, id string) error {
	return &Error{Kind: KindNotFound, Detail: fmt.Sprintf("there is no %s %q", noun, id)}
}

// Conflict says why something cannot be done now.
func Conflict(format string, args ...any) error {
	return &Error{Kind: KindConflict, Detail: fmt.Sprintf(format, args...)}
}

// Gone says what is no longer kept, and what is.
func Gone(format string, args ...any) error {
	return &Error{Kind: KindGone, Detail: fmt.Sprintf(format, args...)}
}

// TooLarge says which limit was passed.
func TooLarge(format string, args ...any) error {
	return &Error{Kind: KindTooLarge, Detail: fmt.Sprintf(format, args...)}
}

// Unknown says that the caller could not be identified.
func Unknown(format string, args ...any) error {
	return &Error{Kind: KindUnknown, Detail: fmt.Sprintf(format, args...)}
}

// Forbidden says why a caller who is known may not.
func Forbidden(format string, args ...any) error {
	return &Error{Kind: KindForbidden, Detail: fmt.Sprintf(format, args...)}
}

// TooSoon says that something was tried too often, and when it may be tried again.
func TooSoon(after time.Duration, format string, args ...any) error {
	return &Error{Kind: KindTooSoon, Detail: fmt.Sprintf(format, args...), After: after}
}
