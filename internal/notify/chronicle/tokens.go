package chronicle

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/jwt"

	"patrol/internal/notify"
	"patrol/internal/platform/outgoing"
)

// scope is what the service account may do ("Get API authentication credentials").
const scope = "https://www.googleapis.com/auth/malachite-ingestion"

// tokens exchanges what the service account signs for access tokens (RFC 7523), and
// keeps one until it expires.
type tokens struct {
	config jwt.Config
	// client notes nothing: the delivery log has no business with the tokens.
	client *http.Client

	mu    sync.Mutex
	token *oauth2.Token
}

// newTokens reads the JSON key of a service account. Its token_uri is the user's to
// name, so it is asked through the guard.
func newTokens(credentials string, guard *outgoing.Guard) (*tokens, error) {
	var key struct {
		Type     string `json:"type"`
		Email    string `json:"client_email"`
		ID       string `json:"private_key_id"`
		Private  string `json:"private_key"`
		TokenURI string `json:"token_uri"`
	}
	if json.Unmarshal([]byte(credentials), &key) != nil {
		return nil, notify.Invalid("credentials", "is not the JSON key of a service account")
	}
	uri, err := url.Parse(key.TokenURI)
	switch {
	case key.Type != "service_account":
		return nil, notify.Invalid("credentials", "is not of the type service_account, but %q", key.Type)
	case key.Email == "":
		return nil, notify.Invalid("credentials", "has no client_email")
	case err != nil || uri.Scheme != "https" || uri.Host == "":
		return nil, notify.Invalid("credentials", "has no token_uri that begins with https://")
	case !isKey(key.Private):
		return nil, notify.Invalid("credentials", "has no private_key that is an RSA key in PEM")
	}
	return &tokens{
		config: jwt.Config{Email: key.Email, PrivateKey: []byte(key.Private), PrivateKeyID: key.ID, Scopes: []string{scope}, TokenURL: key.TokenURI},
		client: guard.Client(guard.Transport(nil)),
	}, nil
}

func isKey(text string) bool {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return false
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if _, ok := key.(*rsa.PrivateKey); err == nil && ok {
		return true
	}
	_, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	return err == nil
}

// get returns a token that is valid. Two who find none both ask for one; neither
// waits for the other's far side.
func (t *tokens) get(ctx context.Context) (string, error) {
	t.mu.Lock()
	token := t.token
	t.mu.Unlock()
	if token.Valid() {
		return token.AccessToken, nil
	}
	token, err := t.ask(ctx)
	if err != nil {
		return "", err
	}
	if token.AccessToken == "" {
		return "", &notify.Failure{Said: "200 OK, but gave no access token"}
	}
	t.mu.Lock()
	t.token = token
	t.mu.Unlock()
	return token.AccessToken, nil
}

func (t *tokens) ask(ctx context.Context) (*oauth2.Token, error) {
	ctx, cancel := context.WithTimeout(ctx, t.client.Timeout)
	defer cancel()
	bound := *t.client
	bound.Transport = within{ctx, t.client.Transport}
	token, err := t.config.TokenSource(context.WithValue(ctx, oauth2.HTTPClient, &bound)).Token()
	if err != nil && ctx.Err() != nil {
		return nil, fmt.Errorf("%s gave no access token: %w", t.config.TokenURL, ctx.Err()) // the library's error hides it
	}
	if err != nil {
		return nil, unauthorized(err)
	}
	return token, nil
}

// forget drops a token that was refused before its time.
func (t *tokens) forget() {
	t.mu.Lock()
	t.token = nil
	t.mu.Unlock()
}

// within ends requests with a context. The oauth2 library takes a context for its
// values alone, and asks without.
type within struct {
	ctx  context.Context
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (w within) RoundTrip(r *http.Request) (*http.Response, error) {
	return w.next.RoundTrip(r.WithContext(w.ctx))
}

// unauthorized is an answer of the token endpoint that means no (RFC 6749, section
// 5.2), or whatever kept it from being asked.
func unauthorized(err error) error {
	var retrieve *oauth2.RetrieveError
	if !errors.As(err, &retrieve) {
		return err
	}
	text := strings.Join(strings.Fields(string(retrieve.Body[:min(len(retrieve.Body), 500)])), " ")
	var said struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	if json.Unmarshal(retrieve.Body, &said) == nil && said.Error != "" {
		text = said.Error + ": " + said.Description
	}
	return &notify.Failure{Said: strings.ToValidUTF8(fmt.Sprintf("%s to the service account: %s", retrieve.Response.Status, text), "")}
}
