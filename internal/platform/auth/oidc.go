package auth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"patrol/internal/platform/access"
	"patrol/internal/platform/problem"
)

// Everybody stands in the place of a group for whoever the provider knows.
const Everybody = "*"

// OIDC are the settings of an OpenID Connect provider that says who people are.
type OIDC struct {
	Issuer       string // empty for none
	ClientID     string
	ClientSecret string
	// RedirectURL is the console's callback as browsers reach it; empty for the
	// address that the browser asked at.
	RedirectURL string
	Scopes      []string
	// RoleClaim is the claim that holds a user's groups: a text or a list of them,
	// within other claims if it has dots.
	RoleClaim string
	// Admin, Operator and Viewer are the group of each role: "" for nobody, or
	// Everybody. Who is in none of them is refused.
	Admin, Operator, Viewer string
	// Team is the name of the team that whoever comes for the first time is put
	// into; "" for none, and so for every node.
	Team string
}

// Check says what is missing.
func (o OIDC) Check() error {
	if o.Issuer == "" {
		return nil
	}
	switch {
	case o.ClientID == "":
		return errors.New("--oidc-issuer needs --oidc-client-id")
	case o.RoleClaim == "":
		return errors.New("--oidc-issuer needs --oidc-role-claim")
	case o.Admin+o.Operator+o.Viewer == "":
		return errors.New("--oidc-issuer lets nobody in without --oidc-admin, --oidc-operator or --oidc-viewer: name a group, or * for everybody")
	}
	return nil
}

// role is the highest of the groups; false if there is none.
func (o OIDC) role(claims map[string]any) (access.Role, bool) {
	groups := texts(lookup(claims, o.RoleClaim))
	for _, r := range []struct {
		group string
		role  access.Role
	}{{o.Admin, access.Admin}, {o.Operator, access.Operator}, {o.Viewer, access.Viewer}} {
		if r.group != "" && (r.group == Everybody || slices.Contains(groups, r.group)) {
			return r.role, true
		}
	}
	return "", false
}

// lookup finds a claim by its name, or within others where the name has dots:
// names that are URLs have dots of their own.
func lookup(claims map[string]any, name string) any {
	if claim, found := claims[name]; found {
		return claim
	}
	outer, inner, dotted := strings.Cut(name, ".")
	if within, ok := claims[outer].(map[string]any); ok && dotted {
		return lookup(within, inner)
	}
	return nil
}

func texts(claim any) []string {
	switch c := claim.(type) {
	case string:
		return []string{c}
	case []any:
		var all []string
		for _, item := range c {
			if text, ok := item.(string); ok {
				all = append(all, text)
			}
		}
		return all
	default:
		return nil
	}
}

// provider is what the settings name. It is discovered when it is first needed,
// so that a console starts without it.
type provider struct {
	OIDC
	client *http.Client
	now    func() time.Time

	mu    sync.Mutex
	found *oidc.Provider
	again time.Time // when to ask for it again, after it did not answer
}

// pause is how long a provider that did not answer is left alone: anybody may
// begin to sign in, and would wait for it.
const pause = 5 * time.Second

// UseOIDC has people sign in at a provider, besides those with a password.
func (s *Service) UseOIDC(o OIDC) {
	if o.Issuer != "" {
		s.provider = &provider{OIDC: o, client: &http.Client{Timeout: 10 * time.Second}, now: s.now}
	}
}

// discover reads what the provider says of itself (OpenID Connect Discovery 1.0,
// section 4), once.
func (p *provider) discover(ctx context.Context) (*oidc.Provider, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.found != nil {
		return p.found, nil
	}
	if p.now().Before(p.again) {
		return nil, errSilent()
	}
	// The provider keeps the context, to read keys with for as long as it is used.
	found, err := oidc.NewProvider(oidc.ClientContext(context.WithoutCancel(ctx), p.client), p.Issuer)
	if err != nil {
		p.again = p.now().Add(pause)
		return nil, p.unreachable(ctx, err)
	}
	p.found = found
	return found, nil
}

func (p *provider) unreachable(ctx context.Context, err error) error {
	slog.ErrorContext(ctx, "the identity provider did not answer as it should", "issuer", p.Issuer, "error", err)
	return errSilent()
}

func errSilent() error {
	return problem.Conflict("the identity provider did not answer as it should; the console's log says how")
}

// flow is one sign-in at the provider, from the redirect to the callback. It
// travels in a cookie of the browser that began it: who calls back without it has
// begun nothing.
type flow struct {
	State    string `json:"state"`
	Nonce    string `json:"nonce"`
	Verifier string `json:"verifier"`
	Redirect string `json:"redirect"`
	To       string `json:"to"`
}

// begin returns a new flow, and where to send the browser.
func (p *provider) begin(ctx context.Context, redirect, to string) (flow, string, error) {
	found, err := p.discover(ctx)
	if err != nil {
		return flow{}, "", err
	}
	f := flow{rand.Text(), rand.Text(), oauth2.GenerateVerifier(), redirect, to}
	return f, p.config(found, f).AuthCodeURL(f.State, oidc.Nonce(f.Nonce), oauth2.S256ChallengeOption(f.Verifier)), nil
}

func (p *provider) config(found *oidc.Provider, f flow) *oauth2.Config {
	return &oauth2.Config{
		ClientID: p.ClientID, ClientSecret: p.ClientSecret, Endpoint: found.Endpoint(), RedirectURL: f.Redirect, Scopes: p.Scopes,
	}
}

// identity is who the provider says somebody is.
type identity struct {
	issuer, subject, username string
	role                      access.Role
}

// finish exchanges the code of a callback for who it is.
func (p *provider) finish(ctx context.Context, f flow, state, code string) (identity, error) {
	if f.State == "" || subtle.ConstantTimeCompare([]byte(state), []byte(f.State)) != 1 {
		return identity{}, problem.Unknown("this is no sign-in that this browser began within the last minutes: begin it again")
	}
	found, err := p.discover(ctx)
	if err != nil {
		return identity{}, err
	}
	token, err := p.config(found, f).Exchange(oidc.ClientContext(ctx, p.client), code, oauth2.VerifierOption(f.Verifier))
	var refused *oauth2.RetrieveError
	switch {
	case errors.As(err, &refused):
		slog.WarnContext(ctx, "the identity provider refused a sign-in", "issuer", p.Issuer, "error", refused.ErrorCode, "description", refused.ErrorDescription)
		return identity{}, problem.Unknown("the identity provider refused this sign-in: begin it again; the console's log says why")
	case err != nil:
		return identity{}, p.unreachable(ctx, err)
	}
	raw, _ := token.Extra("id_token").(string)
	verified, err := found.Verifier(&oidc.Config{ClientID: p.ClientID, Now: p.now}).Verify(oidc.ClientContext(ctx, p.client), raw)
	if err == nil && subtle.ConstantTimeCompare([]byte(verified.Nonce), []byte(f.Nonce)) != 1 {
		err = errors.New("its nonce is of another sign-in")
	}
	claims := map[string]any{}
	if err == nil {
		err = verified.Claims(&claims)
	}
	if err != nil {
		slog.WarnContext(ctx, "the identity provider gave a token that is not good", "issuer", p.Issuer, "error", err)
		return identity{}, problem.Unknown("the identity provider's word is not good: begin the sign-in again; the console's log says why")
	}
	who := identity{issuer: verified.Issuer, subject: verified.Subject, username: nameOf(claims, verified.Subject)}
	var allowed bool
	if who.role, allowed = p.role(claims); !allowed {
		return who, problem.Forbidden("%s may not use this console: none of the groups that %s tells of has a role here", who.username, p.RoleClaim)
	}
	return who, nil
}

// nameOf is how people will know a user: by a name that can be read, or else by
// the subject, which is all that identifies one (OpenID Connect Core 1.0, section
// 5.7).
func nameOf(claims map[string]any, subject string) string {
	for _, claim := range []string{"preferred_username", "email"} {
		if name, _ := claims[claim].(string); name != "" && checkUsername(name) == nil {
			return name
		}
	}
	return fmt.Sprintf("%.200s", subject)
}
