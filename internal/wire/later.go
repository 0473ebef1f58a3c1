package wire

import (
	"errors"
	"net/http"
	"strconv"
	"time"
)

// later is an error that tells when to ask again.
type later struct {
	error
	after time.Duration
}

func (l *later) Unwrap() error { return l.error }

// RetryAfter returns how long the console wants to be left alone, if the error is
// an answer that says so; zero if not.
func RetryAfter(err error) time.Duration {
	var l *later
	if errors.As(err, &l) {
		return l.after
	}
	return 0
}

// deferred adds what an answer says of when to ask again: seconds, or a date
// (RFC 9110, section 10.2.3). Proxies send it as well as consoles.
func deferred(err error, resp *http.Response) error {
	said := resp.Header.Get("Retry-After")
	var after time.Duration
	if seconds, failed := strconv.ParseUint(said, 10, 31); failed == nil {
		after = time.Duration(seconds) * time.Second
	} else if date, failed := http.ParseTime(said); failed == nil {
		after = time.Until(date)
	}
	if after <= 0 {
		return err
	}
	return &later{err, after}
}
