package rest

import (
	"encoding/base64"
	"encoding/json"
	"net/http"

	"patrol/internal/platform/logs"
	"patrol/internal/platform/problem"
)

// Paging are the query parameters of every list.
type Paging struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"How many items at most."`
	Cursor string `query:"cursor" doc:"The next of the page before; empty for the first."`
}

// Page is one page of a list.
type Page[T any] struct {
	Items []T `json:"items"`
	// Next asks for the page that follows; empty on the last one.
	Next string `json:"next" doc:"Pass it as cursor for the page that follows; empty on the last."`
}

// Body is a response or request with a JSON body.
type Body[T any] struct{ Body T }

// JSON returns a response with that body.
func JSON[T any](body T, err error) (*Body[T], error) {
	return &Body[T]{body}, err
}

// ID is the path parameter of one thing.
type ID struct {
	ID string `path:"id"`
}

// Decode reads a cursor into the sort key of the last item seen; an empty one
// leaves it alone.
func (p Paging) Decode(key any) error {
	if p.Cursor == "" {
		return nil
	}
	text, err := base64.RawURLEncoding.DecodeString(p.Cursor)
	if err == nil {
		err = json.Unmarshal(text, key)
	}
	if err != nil || checkText(key) != nil {
		return problem.Invalid("cursor", "is none that this list gave")
	}
	return nil
}

// NewPage makes a page of up to limit+1 items: the extra one only tells that
// there is more.
func NewPage[T any](items []T, limit int, key func(T) any) (Page[T], error) {
	if len(items) <= limit {
		return Page[T]{Items: items}, nil
	}
	items = items[:limit]
	text, err := json.Marshal(key(items[limit-1]))
	return Page[T]{Items: items, Next: base64.RawURLEncoding.EncodeToString(text)}, err
}

// WriteProblem answers with an RFC 9457 problem, for the routes that are not of
// the OpenAPI document. What is the console's own fault names the request, as its
// log does.
func WriteProblem(w http.ResponseWriter, status int, detail string) {
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", RetryAfter)
	}
	if status == http.StatusInternalServerError {
		detail += ", at request_id " + w.Header().Get(logs.Header)
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{ // the caller is gone if this fails
		"title": http.StatusText(status), "status": status, "detail": detail,
	})
}
