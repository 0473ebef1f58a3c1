package chronicle_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"patrol/internal/notify"
	"patrol/internal/notify/chronicle"
	"patrol/internal/notify/document"
	"patrol/internal/notify/notifytest"
)

func TestMain(m *testing.M) { os.Exit(notifytest.Trusting(m)) }

const (
	customer = "c8c65bfa-5f2c-42d4-9189-64bb7b939f2c"
	email    = "patrol@example.iam.gserviceaccount.com"
)

// batch is what the Ingestion API takes. Google publishes no Go types for it; these
// are the members of "unstructuredlogentries", "Body parameters", and no others are
// let in.
type batch struct {
	CustomerID string `json:"customer_id"`
	LogType    string `json:"log_type"`
	Namespace  string `json:"namespace"`
	Entries    []struct {
		LogText             string `json:"log_text"`
		TSEpochMicroseconds uint64 `json:"ts_epoch_microseconds"`
	} `json:"entries"`
}

// google is the token endpoint and the Ingestion API: it keeps no batch twice.
type google struct {
	t       *testing.T
	url     string
	key     *rsa.PrivateKey
	tokens  int
	valid   string // the token that is
	batches map[string]batch
	logs    []document.Document
	last    []byte
	answer  func(w http.ResponseWriter) bool // says something else, if not nil
	grant   func(w http.ResponseWriter) bool
}

// account makes the service account's key once, which takes longer than all tests.
var account = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

func start(t *testing.T) *google {
	key, err := account()
	if err != nil {
		t.Fatal(err)
	}
	g := &google{t: t, key: key, batches: map[string]batch{}}
	g.url, _ = notifytest.Serve(t, g.ServeHTTP)
	return g
}

func (g *google) credentials() string {
	der, err := x509.MarshalPKCS8PrivateKey(g.key)
	if err != nil {
		g.t.Fatal(err)
	}
	text, err := json.Marshal(map[string]string{
		"type": "service_account", "project_id": "example", "private_key_id": "k1", "client_email": email, "client_id": "1",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), "token_uri": g.url + "/token",
	})
	if err != nil {
		g.t.Fatal(err)
	}
	return string(text)
}

func (g *google) settings() notify.Settings {
	return notify.Settings{"customer_id": customer, "credentials": g.credentials(), "log_type": "PATROL", "url": g.url}
}

func (g *google) sender() notify.Sender { return notifytest.Open(g.t, chronicle.Kind(), g.settings()) }

func (g *google) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method == http.MethodPost && r.URL.Path == "/token":
		if g.grant == nil || !g.grant(w) {
			g.exchange(w, r)
		}
	case r.Method == http.MethodPost && r.URL.Path == "/v2/unstructuredlogentries:batchCreate":
		if r.Header.Get("Authorization") != "Bearer "+g.valid {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(`{"error":{"code":401,"message":"Request had invalid authentication credentials.","status":"UNAUTHENTICATED"}}`))
			return
		}
		if g.answer == nil || !g.answer(w) {
			g.keep(w, r)
		}
	default:
		g.t.Errorf("asked %s %s", r.Method, r.URL)
	}
}

// exchange checks what the service account signed (RFC 7523, section 3).
func (g *google) exchange(w http.ResponseWriter, r *http.Request) {
	if grant := r.FormValue("grant_type"); grant != "urn:ietf:params:oauth:grant-type:jwt-bearer" {
		g.t.Errorf("grant type %q", grant)
	}
	token, err := jwt.ParseSigned(r.FormValue("assertion"), []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		g.t.Error(err)
		return
	}
	var claims jwt.Claims
	var scope struct {
		Scope string `json:"scope"`
	}
	if err := token.Claims(&g.key.PublicKey, &claims, &scope); err != nil {
		g.t.Error(err)
	}
	if err := claims.Validate(jwt.Expected{Issuer: email, AnyAudience: jwt.Audience{g.url + "/token"}, Time: time.Now()}); err != nil {
		g.t.Error(err)
	}
	if scope.Scope != "https://www.googleapis.com/auth/malachite-ingestion" || token.Headers[0].KeyID != "k1" {
		g.t.Errorf("scope %q, key %q", scope.Scope, token.Headers[0].KeyID)
	}
	g.tokens++
	g.valid = "ya29.token-" + strconv.Itoa(g.tokens)
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(`{"access_token":"` + g.valid + `","expires_in":3599,"token_type":"Bearer"}`))
}

func (g *google) keep(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil || len(body) > 1_000_000 {
		g.t.Errorf("a body of %d bytes, %v", len(body), err)
	}
	var b batch
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&b); err != nil || b.CustomerID != customer || b.LogType != "PATROL" || b.Namespace != "untagged" || len(b.Entries) == 0 {
		g.t.Errorf("%v in %.300s", err, body)
	}
	if _, there := g.batches[string(body)]; !there {
		for _, e := range b.Entries {
			g.logs = append(g.logs, g.read(e.LogText, e.TSEpochMicroseconds))
		}
	}
	g.batches[string(body)], g.last = b, body
	_, _ = w.Write([]byte("{}"))
}

func (g *google) read(text string, at uint64) (d document.Document) {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&d); err != nil || strings.ContainsAny(text, "\n\r") || at != uint64(d.Time.UnixMicro()) {
		g.t.Errorf("%v at %d in %s", err, at, text)
	}
	return d
}

func TestArrives(t *testing.T) {
	g := start(t)
	sender := g.sender()
	var sample []byte
	for _, n := range []notify.Notification{notifytest.Opened(), notifytest.Changed(), notifytest.Resolved(""), notifytest.Told()} {
		g.logs = nil
		if _, err := sender.Send(t.Context(), n); err != nil {
			t.Fatalf("%s: %v", n.Action, err)
		}
		if want := max(1, len(n.Findings)); len(g.logs) != want {
			t.Fatalf("%s: %d logs; want %d", n.Action, len(g.logs), want)
		}
		if log := g.logs[0]; log.Action != n.Action || log.Notification != n.ID || log.Title != n.Title {
			t.Errorf("%s arrives as %+v", n.Action, log)
		}
		sample = g.last // that of told, which is short enough to show
	}
	if g.tokens != 1 {
		t.Errorf("asked for %d tokens; one is valid for an hour", g.tokens)
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, sample, "", "  "); err != nil {
		t.Fatal(err)
	}
	notifytest.Sample(t, "chronicle", pretty.String())
}

// TestRepeated: the same notification makes the same batches, which Google compares.
func TestRepeated(t *testing.T) {
	g := start(t)
	for range 2 {
		if _, err := g.sender().Send(t.Context(), notifytest.Many()); err != nil {
			t.Fatal(err)
		}
	}
	if len(g.logs) != notify.MostFindings || len(g.batches) < 2 {
		t.Errorf("%d logs of %d batches", len(g.logs), len(g.batches))
	}
}

// TestTokenRefused: a token that was revoked is not used again.
func TestTokenRefused(t *testing.T) {
	g := start(t)
	sender := g.sender()
	if _, err := sender.Send(t.Context(), notifytest.Opened()); err != nil {
		t.Fatal(err)
	}
	g.valid = "another"
	_, err := sender.Send(t.Context(), notifytest.Told())
	if f := notifytest.Failure(t, err); f.Said != "401 Unauthorized: UNAUTHENTICATED: Request had invalid authentication credentials." || f.Rejected {
		t.Errorf("said %q, rejected %t", f.Said, f.Rejected)
	}
	if _, err := sender.Send(t.Context(), notifytest.Told()); err != nil || g.tokens != 2 {
		t.Errorf("after %d tokens %v", g.tokens, err)
	}
}

func TestRefused(t *testing.T) {
	for _, c := range []struct {
		status      int
		after, body string
		said        string
		rejected    bool
	}{
		{400, "", `{"error":{"code":400,"message":"unknown log type PATROL","status":"INVALID_ARGUMENT"}}`, "400 Bad Request: INVALID_ARGUMENT: unknown log type PATROL", false},
		{403, "", `{"error":{"code":403,"message":"The caller does not have permission","status":"PERMISSION_DENIED"}}`, "403 Forbidden: PERMISSION_DENIED: The caller does not have permission", false},
		{404, "", "<html>Not Found</html>", "404 Not Found: <html>Not Found</html>", false},
		{413, "", "", "413 Request Entity Too Large", true},
		{429, "7", `{"error":{"code":429,"message":"Quota exceeded","status":"RESOURCE_EXHAUSTED"}}`, "429 Too Many Requests: RESOURCE_EXHAUSTED: Quota exceeded", false},
		{500, "", "", "500 Internal Server Error", false},
		{200, "", `{"error":{"code":3,"message":"bad","status":"INVALID_ARGUMENT"}}`, "200 OK, but INVALID_ARGUMENT: bad", false},
		{200, "", "<html>Log in</html>", "200 OK, but no JSON; is this the address of the Ingestion API?", false},
	} {
		g := start(t)
		g.answer = func(w http.ResponseWriter) bool { say(w, c.status, c.after, c.body); return true }
		_, err := g.sender().Send(t.Context(), notifytest.Opened())
		f := notifytest.Failure(t, err)
		seconds, _ := strconv.Atoi(c.after) // 0 where there is none
		if f.Said != c.said || f.Rejected != c.rejected || f.After != time.Duration(seconds)*time.Second {
			t.Errorf("%d: said %q, rejected %t, after %s; want %q", c.status, f.Said, f.Rejected, f.After, c.said)
		}
	}
}

func say(w http.ResponseWriter, status int, after, body string) {
	if after != "" {
		w.Header().Set("Retry-After", after)
	}
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body))
}

func TestNoToken(t *testing.T) {
	for _, c := range []struct {
		status     int
		body, said string
	}{
		{400, `{"error":"invalid_grant","error_description":"Invalid JWT Signature."}`, "400 Bad Request to the service account: invalid_grant: Invalid JWT Signature."},
		{503, "try later", "503 Service Unavailable to the service account: try later"},
		{200, `{}`, "200 OK, but gave no access token"},
	} {
		g := start(t)
		g.grant = func(w http.ResponseWriter) bool { say(w, c.status, "", c.body); return true }
		_, err := g.sender().Send(t.Context(), notifytest.Opened())
		if f := notifytest.Failure(t, err); f.Said != c.said || f.Rejected {
			t.Errorf("said %q, rejected %t; want %q", f.Said, f.Rejected, c.said)
		}
	}
}

func TestHangs(t *testing.T) {
	g := start(t)
	notifytest.Hangs(t, func(url, _ string) notify.Sender {
		s := g.settings()
		s["url"] = url
		return notifytest.Open(t, chronicle.Kind(), s)
	})
	t.Run("token", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		left := make(chan struct{})
		g.grant = func(http.ResponseWriter) bool {
			cancel()
			<-left
			return true
		}
		_, err := g.sender().Send(ctx, notifytest.Opened())
		close(left)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v; want that it was cancelled", err)
		}
	})
}

func TestCertificate(t *testing.T) {
	g := start(t)
	notifytest.Distrusts(t, func(url string) notify.Sender {
		s := g.settings()
		s["url"] = url
		return notifytest.Open(t, chronicle.Kind(), s)
	})
	t.Run("token", func(t *testing.T) {
		notifytest.Distrusts(t, func(url string) notify.Sender {
			s := g.settings()
			s["credentials"] = strings.ReplaceAll(s["credentials"], g.url, url)
			return notifytest.Open(t, chronicle.Kind(), s)
		})
	})
}

// TestTheGuardJudgesTheTokenEndpoint, which whoever writes the credentials names.
func TestTheGuardJudgesTheTokenEndpoint(t *testing.T) {
	g := start(t)
	s := g.settings()
	s["credentials"] = strings.ReplaceAll(s["credentials"], g.url, "https://169.254.169.254")
	_, err := notifytest.Open(t, chronicle.Kind(), s).Send(t.Context(), notifytest.Opened())
	if err == nil || !strings.Contains(err.Error(), "--outgoing-allow") {
		t.Errorf("error %v; want the guard's", err)
	}
}

// TestTokensAreNotKept: the delivery log holds what was sent, and nothing by which it
// could be sent again.
func TestTokensAreNotKept(t *testing.T) {
	g := start(t)
	ctx, exchange := notify.WithExchange(t.Context())
	if _, err := g.sender().Send(ctx, notifytest.Opened()); err != nil {
		t.Fatal(err)
	}
	request, response := exchange.Said(nil)
	if !strings.Contains(request, "CVE-2099-0001") || strings.Contains(request+response, g.valid) || strings.Contains(request, "assertion") {
		t.Errorf("kept %q and %q", request, response)
	}
}

func TestSettings(t *testing.T) {
	g := start(t)
	with := func(old, replacement string) string { return strings.Replace(g.credentials(), old, replacement, 1) }
	for field, values := range map[string][]string{
		"customer_id": {"", "c8c65bfa"},
		"log_type":    {"", "PATROL FINDINGS", "LÖG"},
		"namespace":   {"a\nb"},
		"region":      {"mars"},
		"url":         {"http://malachiteingestion-pa.googleapis.com", "malachiteingestion-pa.googleapis.com", "https://host/?x"},
		"credentials": {
			"", "{", "[]", with("service_account", "authorized_user"), with(email, ""), with("https://", "http://"), with("BEGIN PRIVATE KEY", "BEGIN NOTHING"),
			with("MII", "AAA"),
		},
	} {
		for _, value := range values {
			s := g.settings()
			s[field] = value
			notifytest.Refuses(t, chronicle.Kind(), s, field)
		}
	}
	for _, region := range []string{"us", "europe", "asia-southeast1"} {
		s := g.settings()
		s["url"], s["region"] = "", region
		notifytest.Open(t, chronicle.Kind(), s)
	}
}
