package feed

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// publisher is a web server whose files tests replace. It answers conditional
// requests as a real one does, and remembers every answer.
type publisher struct {
	*httptest.Server
	mu      sync.Mutex
	files   map[string][]byte
	headers map[string]http.Header // beside those that net/http makes
	answers []string               // "200 /path"
}

func publish(t testing.TB, files map[string]string) *publisher {
	t.Helper()
	p := &publisher{files: make(map[string][]byte), headers: make(map[string]http.Header)}
	for path, content := range files {
		p.files[path] = []byte(content)
	}
	p.Server = httptest.NewServer(p)
	t.Cleanup(p.Close)
	return p
}

func (p *publisher) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	content, ok := p.files[r.URL.Path]
	for name, values := range p.headers[r.URL.Path] {
		w.Header()[name] = values
	}
	p.mu.Unlock()
	answer := &answered{ResponseWriter: w, status: http.StatusOK}
	if !ok {
		http.NotFound(answer, r)
	} else {
		sum := sha256.Sum256(content)
		w.Header().Set("ETag", `"`+hex.EncodeToString(sum[:8])+`"`)
		http.ServeContent(answer, r, "", time.Time{}, bytes.NewReader(content))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answers = append(p.answers, fmt.Sprintf("%d %s", answer.status, r.URL.Path))
}

type answered struct {
	http.ResponseWriter
	status int
}

func (a *answered) WriteHeader(status int) {
	a.status = status
	a.ResponseWriter.WriteHeader(status)
}

// put replaces a file, or with nothing removes it.
func (p *publisher) put(path, content string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.files[path] = []byte(content); content == "" {
		delete(p.files, path)
	}
}

func (p *publisher) header(path, name, value string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.headers[path] = http.Header{name: {value}}
}

// since returns the answers since it was last called, sorted.
func (p *publisher) since() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	answers := slices.Sorted(slices.Values(p.answers))
	p.answers = nil
	return answers
}

func wantAnswers(t *testing.T, p *publisher, want ...string) {
	t.Helper()
	slices.Sort(want)
	if got := p.since(); !slices.Equal(got, want) {
		t.Errorf("answers\n %s\nwant\n %s", strings.Join(got, "\n "), strings.Join(want, "\n "))
	}
}

func gzipped(t testing.TB, content string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(content)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
