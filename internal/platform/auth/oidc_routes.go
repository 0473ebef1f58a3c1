package auth

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"patrol/internal/platform/access"
	"patrol/internal/platform/problem"
	"patrol/internal/platform/rest"
)

const (
	flowPath   = "/api/v1/session/oidc"
	flowCookie = "patrol_oidc"
	// flowLength is how long a person has at the provider.
	flowLength = 10 * time.Minute
)

// methods are the ways to sign in.
type methods struct {
	Password bool `json:"password"`
	OIDC     bool `json:"oidc" doc:"GET /api/v1/session/oidc begins it."`
}

type beginInput struct {
	To string `query:"to" maxLength:"1000" doc:"Path of the page to come back to."`
	asked
}

// asked is the address that the browser asked at.
type asked struct{ host string }

// Resolve implements huma.Resolver.
func (a *asked) Resolve(ctx huma.Context) []error {
	a.host = ctx.Host()
	return nil
}

type callbackInput struct {
	Flow        string `cookie:"patrol_oidc"`
	State       string `query:"state"`
	Code        string `query:"code"`
	Error       string `query:"error"`
	Description string `query:"error_description"`
}

type redirect struct {
	Status       int
	Location     string        `header:"Location"`
	CacheControl string        `header:"Cache-Control"`
	SetCookie    []http.Cookie `header:"Set-Cookie"`
}

func redirectTo(location string, cookies ...http.Cookie) *redirect {
	return &redirect{http.StatusSeeOther, location, "no-store", cookies}
}

func (s *Service) oidcRoutes(api huma.API, secure bool) {
	rest.Handle(api, access.Public, route("sign-in-methods", http.MethodGet, "session/methods", "How people can sign in"),
		func(context.Context, *struct{}) (*rest.Body[methods], error) {
			return rest.JSON(methods{Password: true, OIDC: s.provider != nil}, nil)
		})
	begin := route("sign-in-oidc", http.MethodGet, "session/oidc", "Sign in at the identity provider")
	begin.DefaultStatus = http.StatusSeeOther
	rest.Handle(api, access.Public, begin,
		func(ctx context.Context, in *beginInput) (*redirect, error) {
			if s.provider == nil {
				return nil, errNoProvider()
			}
			f, location, err := s.provider.begin(ctx, s.provider.callback(in.host, secure), ownPage(in.To))
			if err != nil {
				return nil, err
			}
			text, err := json.Marshal(f)
			if err != nil {
				return nil, err
			}
			return redirectTo(location, ofFlow(base64.RawURLEncoding.EncodeToString(text), flowLength, secure)), nil
		})
	callback := route("sign-in-oidc-callback", http.MethodGet, "session/oidc/callback", "Where the identity provider sends browsers back to")
	callback.DefaultStatus = http.StatusSeeOther
	rest.Handle(api, access.Public, callback,
		func(ctx context.Context, in *callbackInput) (*redirect, error) {
			if s.provider == nil {
				return nil, errNoProvider()
			}
			issued, to, err := s.comeBack(ctx, in)
			if err != nil {
				return nil, err
			}
			return redirectTo(to, cookie(issued.Token, sessionLength, secure), ofFlow("", 0, secure)), nil
		})
}

func errNoProvider() error {
	return problem.Conflict("this console has no identity provider: its operator names one with --oidc-issuer")
}

// comeBack signs in whom the provider sent back.
func (s *Service) comeBack(ctx context.Context, in *callbackInput) (Issued, string, error) {
	var f flow
	if text, err := base64.RawURLEncoding.DecodeString(in.Flow); err != nil || json.Unmarshal(text, &f) != nil {
		f = flow{} // which is no flow that began
	}
	if in.Error != "" && in.State == f.State && f.State != "" {
		return Issued{}, "", problem.Unknown("the identity provider says: %s %s", in.Error, in.Description)
	}
	who, err := s.provider.finish(ctx, f, in.State, in.Code)
	if err != nil {
		return Issued{}, "", s.refusedThere(ctx, who, err)
	}
	issued, err := s.signInAs(ctx, who)
	return issued, ownPage(f.To), err
}

// callback is where the provider sends browsers back to.
func (p *provider) callback(host string, secure bool) string {
	switch {
	case p.RedirectURL != "":
		return p.RedirectURL
	case secure:
		return "https://" + host + flowPath + "/callback"
	default:
		return "http://" + host + flowPath + "/callback"
	}
}

// ownPage is a path of this console. A browser takes what begins with two slashes,
// or a slash and a backslash, for another host.
func ownPage(path string) string {
	if !strings.HasPrefix(path, "/") || strings.ContainsAny(path, "\\\t\r\n") || strings.HasPrefix(path, "//") {
		return "/"
	}
	return path
}

// ofFlow goes back with the callback alone. Strict would keep it from going, since
// the provider's page sends the browser.
func ofFlow(value string, length time.Duration, secure bool) http.Cookie {
	c := cookie(value, length, secure)
	c.Name, c.Path = flowCookie, flowPath
	return c
}
