package notify

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
)

// Exchange is what was said to the far side, and what it said. Secrets are masked
// where it is kept, not here.
type Exchange struct {
	mu                sync.Mutex
	request, response strings.Builder
}

// noteLimit is how many bytes of each side are shown, keptLimit how many are kept until
// they are masked: a secret that is cut off is none that can be found.
const (
	noteLimit = 8 << 10
	keptLimit = 2 * noteLimit
)

type exchangeKey struct{}

// WithExchange returns a context under which senders note what is said.
func WithExchange(ctx context.Context) (context.Context, *Exchange) {
	e := &Exchange{}
	return context.WithValue(ctx, exchangeKey{}, e), e
}

// Note adds to what is known of a delivery; for senders that speak no HTTP. Either
// may be empty.
func Note(ctx context.Context, request, response string) {
	e, ok := ctx.Value(exchangeKey{}).(*Exchange)
	if !ok {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	add(&e.request, request)
	add(&e.response, response)
}

func add(to *strings.Builder, text string) {
	room := keptLimit - to.Len()
	if text == "" || room <= 0 {
		return
	}
	if to.Len() > 0 {
		to.WriteString("\n")
	}
	if len(text) > room {
		text = text[:room] + "…"
	}
	to.WriteString(text)
}

// Said returns what both sides said, with secrets masked.
func (e *Exchange) Said(secrets []string) (request, response string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return beginningOf(Mask(e.request.String(), secrets)), beginningOf(Mask(e.response.String(), secrets))
}

// beginningOf is as much of a text as is shown.
func beginningOf(text string) string {
	if len(text) <= noteLimit {
		return text
	}
	return strings.ToValidUTF8(text[:noteLimit], "") + "…"
}

// noting notes requests and answers. Headers that carry credentials are left out:
// they may be made of secrets rather than be them.
type noting struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (n noting) RoundTrip(r *http.Request) (*http.Response, error) {
	if _, ok := r.Context().Value(exchangeKey{}).(*Exchange); !ok {
		return n.next.RoundTrip(r)
	}
	Note(r.Context(), head(fmt.Sprintf("%s %s", r.Method, r.URL), r.Header)+beginning(r), "")
	resp, err := n.next.RoundTrip(r)
	if err != nil {
		Note(r.Context(), "", err.Error())
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, keptLimit))
	Note(r.Context(), "", head(resp.Status, resp.Header)+string(body))
	rest := resp.Body
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(body), failing{err}, rest), rest}
	return resp, nil
}

// failing is a reader that fails, or ends if there is no error.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	return 0, io.EOF
}

// beginning is that of a request's body, which can be read anew.
func beginning(r *http.Request) string {
	if r.GetBody == nil {
		return ""
	}
	body, err := r.GetBody()
	if err != nil {
		return ""
	}
	defer func() { _ = body.Close() }()
	text, _ := io.ReadAll(io.LimitReader(body, keptLimit)) // what there is of it
	return string(text)
}

// told are headers worth keeping.
var told = []string{"Content-Type", "Retry-After", "X-Request-Id", "Location", "Idempotency-Key", "Patrol-Timestamp"}

func head(first string, h http.Header) string {
	var b strings.Builder
	b.WriteString(first + "\n")
	for _, name := range told {
		if value := h.Get(name); value != "" {
			b.WriteString(name + ": " + value + "\n")
		}
	}
	return b.String() + "\n"
}
