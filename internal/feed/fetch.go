package feed

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// What a web server may cost.
const (
	maxArchive     = 4 << 30 // bytes of an all.zip
	maxEcosystems  = 1 << 20 // bytes of ecosystems.txt
	connectTimeout = 15 * time.Second
	headerTimeout  = 60 * time.Second // until a server answers
	stallTimeout   = 60 * time.Second // without a byte
	singleRequests = 8                // at the same time, for single records
)

// web makes the requests.
type web struct {
	client *http.Client
	stall  time.Duration
}

func newWeb(client *http.Client) web {
	if client == nil {
		transport := http.DefaultTransport.(*http.Transport).Clone() // proxies, HTTP/2
		transport.DialContext = (&net.Dialer{Timeout: connectTimeout}).DialContext
		transport.TLSHandshakeTimeout = connectTimeout
		transport.ResponseHeaderTimeout = headerTimeout
		transport.MaxIdleConnsPerHost = singleRequests
		client = &http.Client{Transport: transport}
	}
	return web{client, stallTimeout}
}

// website is a feed behind a URL.
type website struct {
	web
	base *url.URL
}

func newWebsite(base *url.URL, client *http.Client) website { return website{newWeb(client), base} }

func (w website) String() string { return w.base.Redacted() }

// ecosystems reads ecosystems.txt, one name a line. OSV's own has some that are
// none ("[EMPTY]"): whatever cannot be the name of an ecosystem is left out.
func (w website) ecosystems(ctx context.Context) ([]string, error) {
	var text strings.Builder
	if err := w.get(ctx, w.base.JoinPath("ecosystems.txt"), &text, maxEcosystems); err != nil {
		return nil, err
	}
	var names []string
	for lines := bufio.NewScanner(strings.NewReader(text.String())); lines.Scan(); {
		name := strings.TrimSpace(lines.Text())
		if ecosystemName.MatchString(name) && !strings.Contains(name, ":") {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("%s: no ecosystem in it", w.base.JoinPath("ecosystems.txt").Redacted())
	}
	return withoutSubsets(names), nil
}

// validators are what a server says to recognize a state of what it serves by
// (RFC 9110, section 8.8).
type validators struct {
	ETag         string `json:"etag,omitempty"`
	LastModified string `json:"last_modified,omitempty"`
}

func (v validators) ask(request *http.Request) {
	if v.ETag != "" {
		request.Header.Set("If-None-Match", v.ETag)
	}
	if v.LastModified != "" {
		request.Header.Set("If-Modified-Since", v.LastModified)
	}
}

// errUnchanged says that what is there is what one has.
var errUnchanged = errors.New("unchanged")

// statusError is an answer other than 200.
type statusError struct {
	code   int
	status string
}

func (e statusError) Error() string { return "the server answered " + e.status }

// notFound tells whether the server has no such thing.
func notFound(err error) bool {
	var status statusError
	return errors.As(err, &status) && (status.code == http.StatusNotFound || status.code == http.StatusGone)
}

// get copies what the URL has to the writer: all of it, and no more than limit
// bytes. A server that falls silent is given up.
func (w web) get(ctx context.Context, u *url.URL, to io.Writer, limit int64) error {
	_, err := w.getIf(ctx, u, to, limit, validators{})
	return err
}

// getIf is get unless the server still has what the validators are of, and then
// errUnchanged. Checksums that the server announces are verified.
func (w web) getIf(ctx context.Context, u *url.URL, to io.Writer, limit int64, have validators) (now validators, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer func() {
		if err == nil || errors.Is(err, errUnchanged) {
			return
		}
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		// The client's own error repeats the method and the URL.
		if inner := (*url.Error)(nil); errors.As(err, &inner) {
			err = inner.Err
		}
		err = fmt.Errorf("%s: %w", u.Redacted(), err)
	}()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return now, err
	}
	request.Header.Set("User-Agent", "patrol")
	// Lengths and checksums are those of what is stored.
	request.Header.Set("Accept-Encoding", "identity")
	have.ask(request)
	response, err := w.client.Do(request)
	if err != nil {
		return now, err
	}
	defer response.Body.Close()
	switch {
	case response.StatusCode == http.StatusNotModified && have != validators{}:
		return have, errUnchanged
	case response.StatusCode != http.StatusOK:
		return now, statusError{response.StatusCode, response.Status}
	}
	silence := time.AfterFunc(w.stall, func() { cancel(fmt.Errorf("no data for %s", w.stall)) })
	defer silence.Stop()
	sums := announcedSums(response.Header)
	body := &watched{io.LimitReader(response.Body, limit+1), func() { silence.Reset(w.stall) }}
	n, err := io.Copy(io.MultiWriter(to, sums), body)
	switch {
	case err != nil:
		return now, fmt.Errorf("after %d bytes: %w", n, err)
	case n > limit:
		return now, fmt.Errorf("more than %d bytes", limit)
	}
	return validators{response.Header.Get("ETag"), response.Header.Get("Last-Modified")}, sums.verify()
}

// watched is a reader that tells of progress.
type watched struct {
	io.Reader
	progress func()
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	if n > 0 {
		w.progress()
	}
	return n, err
}
