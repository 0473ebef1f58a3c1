package auth_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// issuer is an OpenID Connect provider over real HTTP: it knows one client, and
// signs in whoever is next without asking.
type issuer struct {
	*httptest.Server
	t        *testing.T
	key      *rsa.PrivateKey
	redirect string // the client's, registered
	now      func() time.Time

	mu    sync.Mutex
	next  map[string]any         // claims of whoever signs in next
	spoil func(claims, _ object) // changes a token before it is signed
	key2  *rsa.PrivateKey        // signs instead, if set
	codes map[string]url.Values  // code → what it was asked for with
	asked url.Values             // the last request of authorization
	away  bool                   // answers nothing
}

type object = map[string]any

const clientID, clientSecret = "patrol", "a secret/of+the client"

func newIssuer(t *testing.T, now func() time.Time) *issuer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	i := &issuer{t: t, key: key, now: now, codes: map[string]url.Values{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		if i.away {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		i.answer(w, object{
			"issuer": i.URL, "authorization_endpoint": i.URL + "/authorize", "token_endpoint": i.URL + "/token", "jwks_uri": i.URL + "/keys",
			"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"}, "id_token_signing_alg_values_supported": []string{"RS256"},
		})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		i.answer(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "one", Algorithm: "RS256", Use: "sig"}}})
	})
	mux.HandleFunc("GET /authorize", i.authorize)
	mux.HandleFunc("POST /token", i.token)
	i.Server = httptest.NewServer(mux)
	t.Cleanup(i.Close)
	return i
}

func (i *issuer) answer(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(body); err != nil {
		i.t.Error(err)
	}
}

// authorize is section 3.1.2 of OpenID Connect Core 1.0.
func (i *issuer) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if q.Get("client_id") != clientID || q.Get("redirect_uri") != i.redirect || q.Get("response_type") != "code" {
		http.Error(w, "unknown client or redirect", http.StatusBadRequest)
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.asked = q
	back := url.Values{"state": {q.Get("state")}}
	if i.next == nil {
		back.Set("error", "access_denied")
	} else {
		code := rand.Text()
		i.codes[code] = q
		back.Set("code", code)
	}
	http.Redirect(w, r, q.Get("redirect_uri")+"?"+back.Encode(), http.StatusFound)
}

// token is section 3.1.3 there, with the proof of RFC 7636, section 4.6.
func (i *issuer) token(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	id, secret, _ := r.BasicAuth()
	id, _ = url.QueryUnescape(id) // RFC 6749, section 2.3.1
	secret, _ = url.QueryUnescape(secret)
	asked, known := i.codes[r.PostFormValue("code")]
	delete(i.codes, r.PostFormValue("code"))
	proof := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	if !known || id != clientID || secret != clientSecret || r.PostFormValue("redirect_uri") != asked.Get("redirect_uri") ||
		asked.Get("code_challenge_method") != "S256" || asked.Get("code_challenge") != base64.RawURLEncoding.EncodeToString(proof[:]) {
		w.WriteHeader(http.StatusBadRequest)
		i.answer(w, object{"error": "invalid_grant"})
		return
	}
	i.answer(w, object{"access_token": rand.Text(), "token_type": "Bearer", "id_token": i.sign(asked.Get("nonce"))})
}

func (i *issuer) sign(nonce string) string {
	claims := object{"iss": i.URL, "aud": clientID, "iat": i.now().Unix(), "exp": i.now().Add(time.Minute).Unix(), "nonce": nonce}
	for name, claim := range i.next {
		claims[name] = claim
	}
	header := object{}
	if i.spoil != nil {
		i.spoil(claims, header)
	}
	if header["alg"] == "none" {
		text, _ := json.Marshal(claims)
		return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + base64.RawURLEncoding.EncodeToString(text) + "."
	}
	key := i.key
	if i.key2 != nil {
		key = i.key2
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: key, KeyID: "one"}}, nil)
	if err != nil {
		i.t.Error(err)
		return ""
	}
	text, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		i.t.Error(err)
	}
	return text
}

// signsIn says who signs in next; nil for somebody who refuses.
func (i *issuer) signsIn(claims object) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.next = claims
}
