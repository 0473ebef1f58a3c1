package auth

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"patrol/internal/platform/access"
	"patrol/internal/platform/db"
	"patrol/internal/platform/problem"
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
			rest.WriteProblem(w, http.StatusServiceUnavailable, "the console cannot reach its database; try again")
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

type signIn struct {
	Username string `json:"username" minLength:"1" maxLength:"200"`
	Password string `json:"password" minLength:"1" maxLength:"1024"`
}

type session struct {
	Token     string    `json:"token"`
	ExpiresAt time.Time `json:"expires_at"`
	User      User      `json:"user"`
}

type sessionOutput struct {
	SetCookie http.Cookie `header:"Set-Cookie"`
	Body      session
}

type whoAmI struct {
	User User `json:"user"`
}

type newToken struct {
	Kind string `json:"kind" enum:"enrolment,api,ci" doc:"enrolment: agents register with it. api: a script, as an administrator. ci: a pipeline, reading."`
	Name string `json:"name" minLength:"1" maxLength:"200" doc:"What it is for."`
}

// Routes adds the routes of sessions and tokens. secure says whether cookies
// travel over TLS only.
func (s *Service) Routes(api huma.API, secure bool) {
	rest.Handle(api, access.Public, huma.Operation{
		OperationID: "sign-in", Method: http.MethodPost, Path: "/api/v1/session", Summary: "Sign in", Tags: []string{"session"},
	}, func(ctx context.Context, in *rest.Body[signIn]) (*sessionOutput, error) {
		user, issued, err := s.SignIn(ctx, in.Body.Username, in.Body.Password)
		if err != nil {
			return nil, err
		}
		return &sessionOutput{
			SetCookie: cookie(issued.Token, issued.ExpiresAt, secure),
			Body:      session{issued.Token, issued.ExpiresAt, user},
		}, nil
	})
	rest.Handle(api, access.Public, huma.Operation{
		OperationID: "who-am-i", Method: http.MethodGet, Path: "/api/v1/session", Summary: "Who is signed in", Tags: []string{"session"},
	}, func(ctx context.Context, _ *struct{}) (*rest.Body[whoAmI], error) {
		p := access.From(ctx)
		if p.Role == "" {
			return nil, problem.Unknown("nobody is signed in")
		}
		return rest.JSON(whoAmI{User{p.ID, p.Name, p.Role}}, nil)
	})
	rest.Handle(api, access.Public, huma.Operation{
		OperationID: "sign-out", Method: http.MethodDelete, Path: "/api/v1/session", Summary: "Sign out", Tags: []string{"session"}, DefaultStatus: http.StatusNoContent,
	}, func(ctx context.Context, _ *struct{}) (*struct {
		SetCookie http.Cookie `header:"Set-Cookie"`
	}, error,
	) {
		if p := access.From(ctx); p.Kind == "user" {
			if err := s.Revoke(ctx, p.Session); err != nil {
				return nil, err
			}
		}
		return &struct {
			SetCookie http.Cookie `header:"Set-Cookie"`
		}{cookie("", time.Unix(1, 0), secure)}, nil
	})
	s.tokenRoutes(api)
}

func (s *Service) tokenRoutes(api huma.API) {
	rest.Handle(api, access.Admin, huma.Operation{
		OperationID: "create-token", Method: http.MethodPost, Path: "/api/v1/tokens", Summary: "Create a token", Tags: []string{"tokens"}, DefaultStatus: http.StatusCreated,
	}, func(ctx context.Context, in *rest.Body[newToken]) (*rest.Body[Issued], error) {
		return rest.JSON(s.IssueToken(ctx, in.Body.Kind, in.Body.Name))
	})
	rest.Handle(api, access.Admin, huma.Operation{
		OperationID: "list-tokens", Method: http.MethodGet, Path: "/api/v1/tokens", Summary: "List tokens", Tags: []string{"tokens"},
	}, func(ctx context.Context, in *rest.Paging) (*rest.Body[rest.Page[Token]], error) {
		return rest.JSON(s.Tokens(ctx, *in))
	})
	rest.Handle(api, access.Admin, huma.Operation{
		OperationID: "revoke-token", Method: http.MethodDelete, Path: "/api/v1/tokens/{id}", Summary: "Revoke a token", Tags: []string{"tokens"}, DefaultStatus: http.StatusNoContent,
	}, func(ctx context.Context, in *rest.ID) (*struct{}, error) {
		return nil, s.RevokeToken(ctx, in.ID)
	})
}

// Token is a credential of a machine, without its secret.
type Token struct {
	ID        string    `json:"id"`
	Kind      string    `json:"kind"`
	Name      string    `json:"name"`
	CreatedAt time.Time `json:"created_at"`
}

// Tokens lists the enrolment, api and ci tokens, oldest first.
func (s *Service) Tokens(ctx context.Context, p rest.Paging) (rest.Page[Token], error) {
	var after string
	if err := p.Decode(&after); err != nil {
		return rest.Page[Token]{}, err
	}
	rows, err := s.db.Read().QueryContext(ctx, `SELECT id, kind, name, created_at FROM credential
		WHERE kind IN ('enrolment', 'api', 'ci') AND id > $1 ORDER BY id LIMIT $2`, after, p.Limit+1)
	items, err := db.All(rows, err, func(scan db.Scan) (t Token, err error) {
		return t, scan(&t.ID, &t.Kind, &t.Name, db.Time{Time: &t.CreatedAt})
	})
	if err != nil {
		return rest.Page[Token]{}, err
	}
	return rest.NewPage(items, p.Limit, func(t Token) any { return t.ID })
}

func cookie(token string, expires time.Time, secure bool) http.Cookie {
	return http.Cookie{
		Name: cookieName, Value: token, Path: "/", Expires: expires,
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: secure,
	}
}
