package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"

	"patrol/internal/platform/access"
	"patrol/internal/platform/db"
	"patrol/internal/platform/lease"
	"patrol/internal/platform/problem"
	"patrol/internal/platform/rest"
)

const bodyLimit = 8 << 20

// Mux is what the calls of the protocol are mounted on.
type Mux interface {
	HandleFunc(pattern string, handler func(http.ResponseWriter, *http.Request))
}

// Handle answers one call of the protocol from a caller of that kind ("agent",
// or "enrolment" to register).
func Handle[I, O any](kind string, handler func(*http.Request, I) (O, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !Allow(w, r, kind) {
			return
		}
		var in I
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, bodyLimit)).Decode(&in); err != nil && !errors.Is(err, io.EOF) {
			rest.WriteProblem(w, http.StatusBadRequest, "the body is not the JSON that this call takes: "+err.Error())
			return
		}
		out, err := handler(r, in)
		if err != nil {
			Fail(w, r, err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(out) // the agent asks again if this is lost
	}
}

// Allow tells whether the caller is of that kind, and answers 403 if not.
func Allow(w http.ResponseWriter, r *http.Request, kind string) bool {
	if p := access.From(r.Context()); p.Kind != kind {
		rest.WriteProblem(w, http.StatusForbidden, fmt.Sprintf("this needs an %s credential", kind))
		return false
	}
	return true
}

// Fail answers with the problem that the error is.
func Fail(w http.ResponseWriter, r *http.Request, err error) {
	var p *problem.Error
	switch {
	case errors.As(err, &p):
		rest.WriteProblem(w, int(p.Kind), p.Error())
	case errors.Is(err, lease.ErrLost):
		rest.WriteProblem(w, http.StatusConflict, "the command is no longer yours: it was cancelled, finished or taken over")
	case errors.Is(err, db.ErrNotFound):
		rest.WriteProblem(w, http.StatusNotFound, "there is no such thing")
	case errors.Is(err, db.ErrReadOnly):
		rest.WriteProblem(w, http.StatusServiceUnavailable, db.ErrReadOnly.Error())
	case db.IsGone(err):
		rest.WriteProblem(w, http.StatusServiceUnavailable, db.ErrGone.Error())
	case db.IsBadText(err):
		rest.WriteProblem(w, http.StatusUnprocessableEntity, db.ErrBadText.Error())
	default:
		slog.ErrorContext(r.Context(), "request failed", "method", r.Method, "path", r.URL.Path, "error", err)
		rest.WriteProblem(w, http.StatusInternalServerError, "the console could not do this; its log says why")
	}
}
