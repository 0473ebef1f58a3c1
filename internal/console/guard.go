package console

import (
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"

	"patrol/internal/platform/rest"
)

// guarded turns a panic into a problem and sets what browsers are told of every
// answer.
func guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy", "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'")
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "no-referrer")
		defer func() {
			switch cause := recover(); cause {
			case nil:
			case http.ErrAbortHandler:
				panic(cause) // net/http's own way to break off an answer
			default:
				slog.ErrorContext(r.Context(), "request panicked", "method", r.Method, "path", r.URL.Path, "panic", fmt.Sprint(cause), "stack", string(debug.Stack()))
				rest.WriteProblem(w, http.StatusInternalServerError, "the console could not do this; its log says why")
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// problems makes the mux's own 404 and 405 problems like all others.
func problems(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, pattern := mux.Handler(r); pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		allowed := []string{}
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
			probe := r.Clone(r.Context())
			probe.Method = method
			if _, pattern := mux.Handler(probe); pattern != "" {
				allowed = append(allowed, method)
			}
		}
		if len(allowed) == 0 {
			rest.WriteProblem(w, http.StatusNotFound, "there is nothing at "+r.URL.Path)
			return
		}
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		rest.WriteProblem(w, http.StatusMethodNotAllowed, r.Method+" is not for "+r.URL.Path+"; "+strings.Join(allowed, ", ")+" is")
	})
}

// sameOrigin refuses what a page of another origin has a browser send, with the
// cookie of whoever is signed in.
func sameOrigin(next http.Handler) http.Handler {
	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		rest.WriteProblem(w, http.StatusForbidden, "a browser may change things from the console's own pages only")
	}))
	return protection.Handler(next)
}
