package s3_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"patrol/internal/notify"
	"patrol/internal/notify/notifytest"
	"patrol/internal/notify/s3"
)

// at is the settings for the service at a URL, then names and values in turn.
func at(url string, more ...string) notify.Settings {
	s := notify.Settings{
		"bucket": "acme-patrol", "prefix": "security/patrol", "region": "eu-central-1", "endpoint": url,
		"access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
	}
	for i := 0; i < len(more); i += 2 {
		s[more[i]] = more[i+1]
	}
	return s
}

func settings(server *httptest.Server, more ...string) notify.Settings {
	if server.TLS != nil {
		more = append([]string{"ca", notifytest.CA(server)}, more...)
	}
	return at(server.URL, more...)
}

// store is a store of its own for each test, whose server is not ours.
func store(t *testing.T, start func(http.Handler) *httptest.Server) (*s3mem.Backend, *httptest.Server) {
	t.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket("acme-patrol"); err != nil {
		t.Fatal(err)
	}
	server := start(gofakes3.New(backend).Server())
	t.Cleanup(server.Close)
	return backend, server
}

func object(t *testing.T, backend *s3mem.Backend, key string) []byte {
	t.Helper()
	o, err := backend.GetObject("acme-patrol", key, nil)
	if err != nil {
		t.Fatalf("%s: %v", key, err)
	}
	defer func() { _ = o.Contents.Close() }()
	if got := o.Metadata["Content-Type"]; got != "application/json" {
		t.Errorf("%s has the type %q", key, got)
	}
	body, err := io.ReadAll(o.Contents)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func count(t *testing.T, backend *s3mem.Backend) int {
	t.Helper()
	list, err := backend.ListBucket("acme-patrol", &gofakes3.Prefix{}, gofakes3.ListBucketPage{})
	if err != nil {
		t.Fatal(err)
	}
	return len(list.Contents)
}

// decode reads an object strictly as what the console made it of: its form is
// Patrol's own, so there is no type of a vendor for it.
func decode(t *testing.T, body []byte) notify.Notification {
	t.Helper()
	var n notify.Notification
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&n); err != nil {
		t.Fatal(err)
	}
	if d.More() {
		t.Error("there is more than one document")
	}
	return n
}

func TestEachActionIsAnObject(t *testing.T) {
	for name, start := range map[string]func(http.Handler) *httptest.Server{"https": httptest.NewTLSServer, "http": httptest.NewServer} {
		t.Run(name, func(t *testing.T) {
			backend, server := store(t, start)
			sender := notifytest.Open(t, s3.Kind(), settings(server))
			all := []notify.Notification{notifytest.Opened(), notifytest.Changed(), notifytest.Resolved("ref"), notifytest.Told()}
			for range 2 { // the second time changes nothing
				for _, n := range all {
					key, err := sender.Send(t.Context(), n)
					if err != nil {
						t.Fatal(err)
					}
					if want := "security/patrol/2026/08/21/" + n.Type + "/" + n.ID + ".json"; key != want {
						t.Errorf("key %s, want %s", key, want)
					}
					if got := decode(t, object(t, backend, key)); !reflect.DeepEqual(got, n) {
						t.Errorf("kept\n%+v\nwant\n%+v", got, n)
					}
				}
			}
			if got := count(t, backend); got != len(all) {
				t.Errorf("%d objects, want %d", got, len(all))
			}
		})
	}
}

func TestSample(t *testing.T) {
	backend, server := store(t, httptest.NewTLSServer)
	key, err := notifytest.Open(t, s3.Kind(), settings(server)).Send(t.Context(), notifytest.Opened())
	if err != nil {
		t.Fatal(err)
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, object(t, backend, key), "", "  "); err != nil {
		t.Fatal(err)
	}
	notifytest.Sample(t, "s3", pretty.String())
}

func TestHostileAndLarge(t *testing.T) {
	backend, server := store(t, httptest.NewTLSServer)
	n := notifytest.Opened()
	n.Title = strings.Repeat("<script>\x00\u2028\"\\\r\n", 1000)
	f := n.Findings[0]
	f.Summary = strings.Repeat("ünsäfe <!channel> ", 600)
	n.Findings = nil
	for range notify.MostFindings {
		n.Findings = append(n.Findings, f)
	}
	key, err := notifytest.Open(t, s3.Kind(), settings(server)).Send(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	body := object(t, backend, key)
	if bytes.ContainsAny(body, "\n\x00") {
		t.Error("it is not one line")
	}
	if got := decode(t, body); !reflect.DeepEqual(got, n) {
		t.Error("it is kept otherwise than it was")
	}
}

// recorder keeps the requests that it answers with 200.
func recorder(t *testing.T) (*httptest.Server, func() *http.Request) {
	t.Helper()
	requests := make(chan *http.Request, 10)
	server := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		requests <- r
	}))
	t.Cleanup(server.Close)
	return server, func() *http.Request { return <-requests }
}

func TestHeaders(t *testing.T) {
	server, next := recorder(t)
	for _, test := range []struct {
		settings    []string
		sse, kmsKey string
	}{
		{nil, "", ""},
		{[]string{"encryption", "AES256"}, "AES256", ""},
		{[]string{"encryption", "aws:kms"}, "aws:kms", ""},
		{[]string{"encryption", "aws:kms", "kms_key_id", "arn:aws:kms:eu-central-1:111122223333:key/1"}, "aws:kms", "arn:aws:kms:eu-central-1:111122223333:key/1"},
	} {
		if _, err := notifytest.Open(t, s3.Kind(), settings(server, test.settings...)).Send(t.Context(), notifytest.Told()); err != nil {
			t.Fatal(err)
		}
		r := next()
		if r.Method != http.MethodPut || r.URL.Path != "/acme-patrol/security/patrol/2026/08/21/feed.stale/"+notifytest.Told().ID+".json" {
			t.Errorf("%s %s", r.Method, r.URL)
		}
		if got := r.Header.Get("X-Amz-Server-Side-Encryption"); got != test.sse {
			t.Errorf("%v: encryption %q", test.settings, got)
		}
		if got := r.Header.Get("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id"); got != test.kmsKey {
			t.Errorf("%v: key %q", test.settings, got)
		}
		if r.Header.Get("Content-Md5") == "" {
			t.Error("no Content-MD5: a bucket with Object Lock would refuse it")
		}
		if got := r.Header.Get("Authorization"); !strings.HasPrefix(got, "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/") || !strings.Contains(got, "/eu-central-1/s3/aws4_request") {
			t.Errorf("Authorization %q", got)
		}
	}
}

func TestBucketInTheHost(t *testing.T) {
	server, _ := recorder(t)
	// With the bucket before it, this is longer than a name in DNS may be, so nobody
	// is asked for it.
	host := strings.Repeat("patrol.", 34) + "example"
	ctx, exchange := notify.WithExchange(t.Context())
	sender := notifytest.Open(t, s3.Kind(), settings(server, "endpoint", "https://"+host, "path_style", "false"))
	if _, err := sender.Send(ctx, notifytest.Told()); err == nil {
		t.Error("it was sent")
	}
	if request, _ := exchange.Said(nil); !strings.Contains(request, "PUT https://acme-patrol."+host+"/security/patrol/2026/") {
		t.Errorf("the request was\n%s", request)
	}
}

func TestExchangeIsNotedWithoutSecrets(t *testing.T) {
	_, server := store(t, httptest.NewTLSServer)
	ctx, exchange := notify.WithExchange(t.Context())
	if _, err := notifytest.Open(t, s3.Kind(), settings(server)).Send(ctx, notifytest.Told()); err != nil {
		t.Fatal(err)
	}
	request, response := exchange.Said(nil)
	if !strings.Contains(request, "PUT "+server.URL) || !strings.Contains(request, "The feed is stale") || !strings.Contains(response, "200 OK") {
		t.Errorf("noted\n%s\n%s", request, response)
	}
	if strings.Contains(request, "Signature") || strings.Contains(request, "wJalrXUtn") {
		t.Errorf("a secret is noted:\n%s", request)
	}
}

// The forms are those of the API Reference, "Error responses".
func TestRefusals(t *testing.T) {
	answer := func(code, message string) string {
		return `<?xml version="1.0" encoding="UTF-8"?><Error><Code>` + code + `</Code><Message>` + message + `</Message><RequestId>4442587FB7D0A2F9</RequestId></Error>`
	}
	for _, test := range []struct {
		status   int
		body     string
		header   string
		said     string
		rejected bool
		after    time.Duration
	}{
		{status: 301, body: answer("PermanentRedirect", "The bucket you are attempting to access must be addressed using the specified endpoint."), said: "301 PermanentRedirect: The bucket you"},
		{status: 400, body: answer("AuthorizationHeaderMalformed", "the region 'us-east-1' is wrong; expecting 'eu-west-1'"), said: "400 AuthorizationHeaderMalformed: the region 'us-east-1' is wrong; expecting 'eu-west-1'"},
		{status: 400, body: answer("EntityTooLarge", "Your proposed upload exceeds the maximum allowed size"), said: "400 EntityTooLarge: Your proposed", rejected: true},
		{status: 400, body: answer("KeyTooLongError", "Your key is too long"), said: "400 KeyTooLongError: Your key is too long", rejected: true},
		{status: 401, body: "", said: "401 Unauthorized"},
		{status: 403, body: answer("SignatureDoesNotMatch", "The request signature we calculated\ndoes not match"), said: "403 SignatureDoesNotMatch: The request signature we calculated does not match"},
		{status: 403, body: answer("AccessDenied", "Access Denied"), said: "403 AccessDenied: Access Denied"},
		{status: 403, body: "", said: "403 AccessDenied"},
		{status: 404, body: answer("NoSuchBucket", "The specified bucket does not exist"), said: "404 NoSuchBucket: The specified bucket does not exist"},
		{status: 413, body: "<html>too large</html>", said: "413"},
		{status: 429, body: "slow", header: "7", said: "429 Too Many Requests: slow", after: 7 * time.Second},
		{status: 500, body: answer("InternalError", "We encountered an internal error. Please try again."), said: "500 InternalError: We encountered"},
		{status: 503, body: answer("SlowDown", "Please reduce your request rate."), said: "503 SlowDown: Please reduce your request rate."},
		{status: 503, body: answer("SlowDownWrite", "Resource requested is unwritable, please reduce your request rate"), header: "60", said: "503 SlowDownWrite", after: time.Minute},
	} {
		t.Run(fmt.Sprint(test.status, " ", test.said), func(t *testing.T) {
			var asked atomic.Int32
			server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked.Add(1)
				_, _ = io.Copy(io.Discard, r.Body)
				if test.header != "" {
					w.Header().Set("Retry-After", test.header)
				}
				if test.status == 301 {
					w.Header().Set("Location", "https://169.254.169.254/")
				}
				w.WriteHeader(test.status)
				_, _ = io.WriteString(w, test.body)
			}))
			defer server.Close()
			_, err := notifytest.Open(t, s3.Kind(), settings(server)).Send(t.Context(), notifytest.Opened())
			f := notifytest.Failure(t, err)
			if !strings.Contains(f.Said, test.said) || f.Rejected != test.rejected || f.After != test.after {
				t.Errorf("%+v", f)
			}
			if n := asked.Load(); n != 1 {
				t.Errorf("asked %d times", n)
			}
		})
	}
}

func TestUntrustedCertificate(t *testing.T) {
	notifytest.Distrusts(t, func(url string) notify.Sender {
		return notifytest.Open(t, s3.Kind(), at(url))
	})
}

func TestMetadataServiceIsNotReached(t *testing.T) {
	server, _ := recorder(t)
	_, err := notifytest.Open(t, s3.Kind(), settings(server, "endpoint", "http://169.254.169.254")).Send(t.Context(), notifytest.Told())
	if err == nil || !strings.Contains(err.Error(), "--outgoing-allow") {
		t.Errorf("error %v", err)
	}
}

func TestCancelled(t *testing.T) {
	notifytest.Hangs(t, func(url, ca string) notify.Sender {
		return notifytest.Open(t, s3.Kind(), at(url, "ca", ca))
	})
}

func TestSettingsAreRefused(t *testing.T) {
	server, _ := recorder(t)
	for field, values := range map[string][]string{
		"bucket":            {"", "s3://acme-patrol", "acme patrol", "a", "acme/patrol", "10.0.0.1"},
		"prefix":            {"a/../b", "a//b", "a\nb", strings.Repeat("x", 600)},
		"endpoint":          {"minio.example:9000", "ftp://minio.example", "https://minio.example/acme-patrol", "https://user:word@minio.example"},
		"access_key_id":     {""},
		"secret_access_key": {""},
		"path_style":        {"maybe"},
		"encryption":        {"rot13"},
		"kms_key_id":        {"arn:aws:kms:eu-central-1:111122223333:key/1"},
		"ca":                {"no certificate"},
	} {
		for _, value := range values {
			notifytest.Refuses(t, s3.Kind(), settings(server, field, value), field)
		}
	}
}
