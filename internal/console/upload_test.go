package console

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"strings"
	"testing"

	"patrol/internal/platform/auth"
	"patrol/internal/sbom"
	"patrol/internal/wire"
)

func gzipped(t *testing.T, write func(w *gzip.Writer) error) string {
	t.Helper()
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if err := write(w); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return packed.String()
}

// What an agent uploads is hostile until it was looked at.
func TestUploadsThatAreRefused(t *testing.T) {
	h := openHouse(t, publish(t))
	agent := h.token(auth.Agent)
	document := `{"components":[]}`
	whole := gzipped(t, func(w *gzip.Writer) error { _, err := w.Write([]byte(document)); return err })
	// A gzip stream may have many members (RFC 1952, section 2.2).
	megabyte := gzipped(t, func(w *gzip.Writer) error { _, err := w.Write(make([]byte, 1<<20)); return err })
	bomb := strings.Repeat(megabyte, wire.DocumentLimit>>20+1)
	for name, test := range map[string]struct {
		body   string
		status int
	}{
		"not packed":               {document, http.StatusUnprocessableEntity},
		"cut off":                  {whole[:len(whole)-9], http.StatusUnprocessableEntity},
		"of another digest":        {gzipped(t, func(*gzip.Writer) error { return nil }), http.StatusUnprocessableEntity},
		"larger than it may be":    {bomb, http.StatusRequestEntityTooLarge},
		"what was announced, fine": {whole, http.StatusNoContent},
	} {
		got := h.ask("PUT", "/wire/v1/sboms/"+sbom.Digest([]byte(document)), agent, test.body)
		if got.StatusCode != test.status {
			t.Errorf("%s: answers %d %s; want %d", name, got.StatusCode, got.body, test.status)
		}
	}
}

func TestWireBodiesThatAreRefused(t *testing.T) {
	h := openHouse(t, publish(t))
	agent := h.token(auth.Agent)
	wantProblem(t, h.ask("POST", "/wire/v1/heartbeat", agent, `{"protocol":`), http.StatusBadRequest)
	wantProblem(t, h.ask("POST", "/wire/v1/heartbeat", agent, `{"protocol":"one"}`), http.StatusBadRequest)
	wantProblem(t, h.ask("POST", "/wire/v1/commands/none/finish", agent, `{}`), http.StatusNotFound)
	newer := `{"key":"a key that is long enough","facts":{"protocol":99,"name":"x"}}`
	wantProblem(t, h.ask("POST", "/wire/v1/register", h.token(auth.Enrolment), newer), http.StatusConflict)
}
