package logs_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"patrol/internal/platform/logs"
)

func TestRequestsHaveIDs(t *testing.T) {
	var out bytes.Buffer
	logger, err := logs.New(&out, logs.JSON, "info")
	if err != nil {
		t.Fatal(err)
	}
	handler := logs.Requests(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		logger.With("room", "test").InfoContext(r.Context(), "something happened")
	}))
	for given, keep := range map[string]bool{
		"": false, "from-the-proxy:7": true, "two words": false, "quoted\"": false, "line\nbreak": false, strings.Repeat("x", 129): false,
	} {
		out.Reset()
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set(logs.Header, given)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		id := w.Header().Get(logs.Header)
		var line map[string]any
		if err := json.Unmarshal(out.Bytes(), &line); err != nil || line["request_id"] != id || line["room"] != "test" {
			t.Errorf("%q: the answer has the id %q, the log says %s (%v)", given, id, out.String(), err)
		}
		if id == "" || (id == given) != keep {
			t.Errorf("%q became %q", given, id)
		}
	}
}

func TestNew(t *testing.T) {
	var out bytes.Buffer
	logger, err := logs.New(&out, logs.Text, "warn")
	if err != nil {
		t.Fatal(err)
	}
	logger.Info("quiet")
	logger.Warn("loud")
	if got := out.String(); strings.Contains(got, "quiet") || !strings.Contains(got, "level=WARN msg=loud") || strings.Contains(got, "request_id") {
		t.Errorf("log = %q", got)
	}
	for _, wrong := range [][2]string{{"xml", "info"}, {"json", "chatty"}} {
		if _, err := logs.New(&out, wrong[0], wrong[1]); err == nil || !strings.Contains(err.Error(), "none of") {
			t.Errorf("New(%v) = %v", wrong, err)
		}
	}
}
