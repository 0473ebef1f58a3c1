package notify

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Failure is an answer of the far side that means no.
type Failure struct {
	// Said is what it said, as people are to read it: "401: invalid_auth".
	Said string
	// Rejected: this notification will never be taken, whatever happens; others may.
	Rejected bool
	// After is how long the far side wants to be left alone; 0 if it does not say.
	After time.Duration
}

func (f *Failure) Error() string { return "the far side said " + f.Said }

// answerLimit is how much of an answer is read.
const answerLimit = 1 << 20

// Do sends a request and returns the body of an answer in the 200s. All others are
// a [Failure]: what names this request as the mistake (400, 413, 415, 422) is
// rejected; all else may be mended on either side and is tried again. now is for a
// Retry-After that is a date.
func Do(client *http.Client, r *http.Request, now time.Time) ([]byte, error) {
	resp, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, answerLimit))
	if resp.StatusCode/100 == 2 {
		return body, err
	}
	return body, refused(resp, body, now)
}

func refused(resp *http.Response, body []byte, now time.Time) *Failure {
	f := &Failure{Said: strings.TrimSpace(fmt.Sprintf("%d %s", resp.StatusCode, http.StatusText(resp.StatusCode))), After: retryAfter(resp, now)}
	if text := oneLine(body); text != "" {
		f.Said += ": " + text
	}
	switch resp.StatusCode {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity:
		f.Rejected = true
	}
	return f
}

// oneLine is the beginning of an answer, as it stands in a sentence.
func oneLine(body []byte) string {
	line := strings.Join(strings.Fields(strings.ToValidUTF8(string(body[:min(len(body), 500)]), "")), " ")
	if len(body) > 500 {
		line += "…"
	}
	return line
}

// retryAfter reads the header as seconds or as a date (RFC 9110, section 10.2.3).
func retryAfter(resp *http.Response, now time.Time) time.Duration {
	value := resp.Header.Get("Retry-After")
	if seconds, err := strconv.Atoi(value); err == nil && seconds > 0 {
		return time.Duration(min(seconds, 24*60*60)) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, min(at.Sub(now), 24*time.Hour))
	}
	return 0
}

// Post sends a body and returns the answer's, as [Do] does. Header is for what is
// sent beside Content-Type, and may be nil.
func Post(ctx context.Context, client *http.Client, url, contentType string, body []byte, header http.Header) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for name, values := range header {
		r.Header[name] = values
	}
	r.Header.Set("Content-Type", contentType)
	return Do(client, r, time.Now())
}
