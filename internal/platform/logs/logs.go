// Package logs writes the program's log: lines for a person, or JSON for what
// collects them; and gives each request an id that stands in every line that is
// written on its behalf, in its answer, and in a problem that only the log
// explains.
package logs

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"time"
)

// The formats of a log.
const (
	Text = "text"
	JSON = "json"
)

// New returns a logger that writes lines of that format from that level on (debug,
// info, warn or error).
func New(w io.Writer, format, level string) (*slog.Logger, error) {
	var from slog.Level
	if err := from.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("--log-level %q is none of debug, info, warn, error", level)
	}
	options := &slog.HandlerOptions{Level: from}
	switch format {
	case Text:
		return slog.New(handler{slog.NewTextHandler(w, options)}), nil
	case JSON:
		return slog.New(handler{slog.NewJSONHandler(w, options)}), nil
	}
	return nil, fmt.Errorf("--log-format %q is none of text, json", format)
}

type key struct{}

// RequestID returns the id of the request that the context is of; "" outside of
// any.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(key{}).(string)
	return id
}

// handler adds to each line what its context knows.
type handler struct{ slog.Handler }

func (h handler) Handle(ctx context.Context, r slog.Record) error {
	if id := RequestID(ctx); id != "" {
		r.AddAttrs(slog.String("request_id", id))
	}
	return h.Handler.Handle(ctx, r)
}

func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return handler{h.Handler.WithAttrs(attrs)}
}

func (h handler) WithGroup(name string) slog.Handler { return handler{h.Handler.WithGroup(name)} }

// Header is where a request's id travels, in both directions.
const Header = "X-Request-Id"

// sane is an id that may stand in a log: no spaces, quotes or control characters.
var sane = regexp.MustCompile(`^[A-Za-z0-9._:/+=-]{1,128}$`)

// Requests gives each request the id that it came with, or a new one where that
// is none to write down.
func Requests(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get(Header)
		if !sane.MatchString(id) {
			id = rand.Text()
		}
		w.Header().Set(Header, id)
		ctx := context.WithValue(r.Context(), key{}, id)
		began := time.Now()
		next.ServeHTTP(w, r.WithContext(ctx))
		slog.DebugContext(ctx, "request", "method", r.Method, "path", r.URL.Path, "took", time.Since(began))
	})
}
