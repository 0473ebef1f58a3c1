package notifytest

import (
	"bytes"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"patrol/internal/notify"
)

// Hostile is a notification whose texts were written by somebody who hopes that they
// are read by more than people.
func Hostile() notify.Notification {
	n := Opened()
	bad := "<!channel> @everyone <script>alert(1)</script> [link](https://evil.example) *a* _b_ `c` {{DATE(2026-01-01T00:00:00Z)}} \x00\x1b[31m \u202eesrever |x>"
	n.Title, n.Text = bad, bad+"\n# "+bad+"\r\n- item"
	n.Rule = bad
	n.Facts = append(n.Facts, notify.Fact{Name: bad, Value: bad})
	f := n.Findings[0]
	f.Vulnerability, f.Package, f.Summary, f.Node.Name, f.Fixed = bad, bad, bad, bad, []string{bad}
	n.Findings = append(n.Findings, f)
	n.Total = len(n.Findings)
	return n
}

// Huge is the most that one notification holds, each of its texts 10 KB of characters
// that markups escape.
func Huge() notify.Notification {
	n := Opened()
	long := strings.Repeat("<&>*_`\"\\é", 1000)
	n.Title, n.Text, n.Rule, n.Facts = long, strings.Repeat(long+"\n", 3), long, nil
	for range 40 {
		n.Facts = append(n.Facts, notify.Fact{Name: long, Value: long})
	}
	f := n.Findings[0]
	f.Vulnerability, f.Package, f.Summary, f.Node.Name, f.Fixed = long, long, long, long, []string{long}
	n.Findings = nil
	for range notify.MostFindings {
		n.Findings = append(n.Findings, f)
	}
	n.Total, n.Nodes = 12345, 200
	return n
}

// Filled is a notification with as many findings as one holds, in which a stranger wrote
// one text wherever it could be: up to 1 KB of it in a finding.
func Filled(text string) notify.Notification {
	n := Opened()
	n.Title, n.Text, n.Rule = text, text, text
	for range 40 {
		n.Facts = append(n.Facts, notify.Fact{Name: strconv.Itoa(len(n.Facts)) + text, Value: text})
	}
	f := n.Findings[0]
	short := text[:min(len(text), 1<<10)]
	f.Vulnerability, f.Package, f.Node.Name, f.Fixed = short, short, short, []string{short, short}
	n.Findings, n.Total = nil, 5000
	for range notify.MostFindings {
		n.Findings = append(n.Findings, f)
	}
	return n
}

// Request is what a far side got.
type Request struct {
	Method string
	Path   string // with the query
	Header http.Header
	Body   []byte
}

// Far is a far side over TLS. It answers as told, and keeps what it got.
type Far struct {
	URL string
	CA  string // its certificate, for the field of that name

	mu     sync.Mutex
	got    []Request
	answer http.HandlerFunc
}

// NewFar starts a far side.
func NewFar(t testing.TB, answer http.HandlerFunc) *Far {
	f := &Far{answer: answer}
	server := httptest.NewUnstartedServer(f)
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // clients that do not trust it are meant
	server.StartTLS()
	t.Cleanup(server.Close)
	f.URL = server.URL
	f.CA = CA(server)
	return f
}

// ServeHTTP implements http.Handler.
func (f *Far) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	f.mu.Lock()
	f.got = append(f.got, Request{r.Method, r.URL.RequestURI(), r.Header.Clone(), body})
	answer := f.answer
	f.mu.Unlock()
	answer(w, r)
}

// Answer changes how it answers.
func (f *Far) Answer(answer http.HandlerFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer = answer
}

// Got returns the requests since the last time.
func (f *Far) Got() []Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	got := f.got
	f.got = nil
	return got
}

// Says answers with a status, headers as name and value in turn, and a body.
func Says(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// Silent answers nothing, closes began, and ends when the client goes away.
func Silent(began chan<- struct{}) http.HandlerFunc {
	var once sync.Once
	return func(_ http.ResponseWriter, r *http.Request) {
		once.Do(func() { close(began) })
		<-r.Context().Done()
		panic(http.ErrAbortHandler) // an answer now would come beside the cancelling
	}
}

// prettyWidth is that of the documents.
const prettyWidth = 125

// Pretty lays JSON out for people: what fits in a line stands in one, keys in the order
// in which they came.
func Pretty(t testing.TB, body []byte) string {
	t.Helper()
	text, err := lay(body, "")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func lay(raw json.RawMessage, indent string) (string, error) {
	var b bytes.Buffer
	if err := json.Compact(&b, raw); err != nil {
		return "", err
	}
	flat := b.String()
	if len(indent)+len(flat) < prettyWidth || flat[0] != '{' && flat[0] != '[' {
		return flat, nil
	}
	d := json.NewDecoder(&b)
	if _, err := d.Token(); err != nil {
		return "", err
	}
	var parts []string
	for d.More() {
		name := ""
		if flat[0] == '{' {
			key, err := d.Token()
			if err != nil {
				return "", err
			}
			name = strconv.Quote(key.(string)) + ": "
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return "", err
		}
		part, err := lay(value, indent+"  ")
		if err != nil {
			return "", err
		}
		parts = append(parts, indent+"  "+name+part)
	}
	return flat[:1] + "\n" + strings.Join(parts, ",\n") + "\n" + indent + flat[len(flat)-1:], nil
}
