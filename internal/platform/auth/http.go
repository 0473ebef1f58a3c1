package auth

import (
	"net/http"
	"strings"
	"time"

	"patrol/internal/platform/access"
	"patrol/internal/platform/db"
	"patrol/internal/platform/rest"
)

const cookieName = "patrol_session"

// Require lets a request through only if its token or session is good; any other
// answers 401, whatever the path. The principal travels in the context. Paths
// that open holds for need no token, but carry a principal if one is shown.
func (s *Service) Require(next http.Handler, open func(path string) bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		principal, known, err := s.Identify(r.Context(), shown(r))
		switch {
		case err != nil:
			rest.WriteProblem(w, http.StatusServiceUnavailable, db.ErrGone.Error())
		case known:
			next.ServeHTTP(w, r.WithContext(access.With(r.Context(), principal)))
		case open(r.URL.Path):
			next.ServeHTTP(w, r)
		default:
			w.Header().Set("WWW-Authenticate", "Bearer")
			rest.WriteProblem(w, http.StatusUnauthorized, "a valid token is needed")
		}
	})
}

// shown returns the secret that the request carries.
func shown(r *http.Request) string {
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return token
	}
	if cookie, err := r.Cookie(cookieName); err == nil {
		return cookie.Value
	}
	return ""
}

// cookie keeps a secret in a browser for so long; zero takes it away. It says how
// long and not until when: the browser's clock may be wrong.
func cookie(token string, length time.Duration, secure bool) http.Cookie {
	age := int(length / time.Second)
	if age == 0 {
		age = -1 // Max-Age=0, to net/http
	}
	return http.Cookie{
		Name: cookieName, Value: token, Path: "/", MaxAge: age,
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: secure,
	}
}
