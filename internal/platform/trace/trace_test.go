package trace_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"patrol/internal/platform/trace"
)

func TestOffByDefault(t *testing.T) {
	stop, err := trace.Start(t.Context(), "", "test")
	if err != nil || stop(t.Context()) != nil || trace.Enabled("") {
		t.Errorf("Start = %v", err)
	}
	failed := errors.New("failed")
	if n := testing.AllocsPerRun(100, func() {
		_, end := trace.Span(context.Background(), "nothing", &failed)
		end()
	}); n > 5 {
		t.Errorf("a span that nobody records takes %v allocations", n)
	}
}

// Spans reach a collector: of a request, and of what is done on its behalf.
func TestSpansAreSent(t *testing.T) {
	sent := make(chan []byte, 1)
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.URL.Path == "/v1/traces" {
			sent <- body
		}
		w.WriteHeader(http.StatusOK)
	}))
	defer collector.Close()
	stop, err := trace.Start(t.Context(), collector.URL, "test")
	if err != nil {
		t.Fatal(err)
	}
	handler := trace.Requests(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		err := errors.New("went wrong")
		_, end := trace.Span(r.Context(), "do the work", &err, "scan", "s1")
		end()
	}), func(*http.Request) string { return "GET /api/v1/nodes/{id}" }, func(r *http.Request) bool { return r.URL.Path == "/stream" })
	for _, path := range []string{"/api/v1/nodes/7", "/stream"} {
		handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil))
	}
	if err := stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	// The names stand in the protocol buffer as they are.
	body := <-sent
	for text, want := range map[string]int{"GET /api/v1/nodes/{id}": 1, "do the work": -1, "went wrong": -1, "service.version": 1} {
		if n := bytes.Count(body, []byte(text)); n != want && (want >= 0 || n == 0) {
			t.Errorf("%q was sent %d times; want %d", text, n, want)
		}
	}
}
