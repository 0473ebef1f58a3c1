package shoutrrr

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"patrol/internal/notify"
	"patrol/internal/notify/chat"
)

// relay carries the requests of one notification. For the library it is the transport
// of its client. It sees to what the library leaves out: the context of who sends, the
// guard, what exactly the far side said, and that nothing is repeated here, which is
// the deliveries' affair. What it notes has no URLs, for those hold tokens.
type relay struct {
	ctx      context.Context // the library's requests have none of ours
	client   *http.Client
	secrets  []string
	header   http.Header              // beside what the library sends; may be nil
	means    func(answer []byte) bool // tells whether an answer in the 200s means yes; nil if all do
	answered bool
	err      error // of the first request that failed; after it there are no others
}

// httpClient is what the library is given.
func (x *relay) httpClient() *http.Client { return &http.Client{Transport: x} }

// RoundTrip implements http.RoundTripper. The library is shown answers that mean yes,
// and of failures nothing that it would try again for.
func (x *relay) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := x.send(r)
	if err != nil {
		return nil, errors.New("not delivered")
	}
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)), Request: r,
	}, nil
}

func (x *relay) send(r *http.Request) ([]byte, error) {
	if x.err != nil {
		return nil, x.err
	}
	notify.Note(x.ctx, r.Method+" "+r.URL.Scheme+"://"+r.URL.Host, "")
	r = r.Clone(x.ctx)
	maps.Copy(r.Header, x.header)
	body, err := notify.Do(x.client, r, time.Now())
	if err != nil {
		x.err = x.plain(r, body, err)
		notify.Note(x.ctx, "", x.err.Error())
		return nil, x.err
	}
	x.answered = true
	said := notify.Mask(string(body), x.secrets)
	notify.Note(x.ctx, "", said)
	if x.means != nil && !x.means(body) {
		x.err = &notify.Failure{Said: "200: " + chat.Fit(chat.Line(said), 300, chat.Plain)}
	}
	return body, x.err
}

// plain is an error without secrets. A 400 of these services means a wrong token or
// chat as often as a wrong message, so only one that is too large is rejected.
func (x *relay) plain(r *http.Request, body []byte, err error) error {
	var f *notify.Failure
	if errors.As(err, &f) {
		said := notify.Mask(f.Said, x.secrets)
		return &notify.Failure{Said: said, Rejected: strings.HasPrefix(said, "413 "), After: max(f.After, wanted(body))}
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return fmt.Errorf("%s %s: %w", r.Method, r.URL.Host, err)
}

// wanted is how long an answer asks to wait, in the words of Telegram's "Bot API",
// section "ResponseParameters", Discord's "Rate Limits" and Matrix' client-server API,
// section "Rate limiting".
func wanted(body []byte) time.Duration {
	var said struct {
		Seconds    float64 `json:"retry_after"`
		Millis     float64 `json:"retry_after_ms"`
		Parameters struct {
			Seconds float64 `json:"retry_after"`
		} `json:"parameters"`
	}
	if json.Unmarshal(body, &said) != nil {
		return 0
	}
	seconds := max(said.Seconds, said.Millis/1000, said.Parameters.Seconds)
	return time.Duration(min(seconds, 24*60*60) * float64(time.Second))
}

// call makes a request and reads the JSON that answers it.
func (x *relay) call(method, address string, header http.Header, body []byte, answer any) error {
	r, err := http.NewRequestWithContext(x.ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return errors.New("the service URL leads to no address") // the error would quote it
	}
	r.Header = header.Clone()
	got, err := x.send(r)
	if err != nil {
		return err
	}
	return json.Unmarshal(got, answer)
}
