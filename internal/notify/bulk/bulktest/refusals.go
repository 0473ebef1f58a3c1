package bulktest

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"patrol/internal/notify"
	"patrol/internal/notify/notifytest"
)

// answering sends to a server that always says this.
func (d Dialect) answering(t *testing.T, status int, after, body string) error {
	url, ca := notifytest.Serve(t, func(w http.ResponseWriter, _ *http.Request) {
		if after != "" {
			w.Header().Set("Retry-After", after)
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	})
	_, err := notifytest.Open(t, d.Kind, d.settings(url, ca)).Send(t.Context(), notifytest.Opened())
	return err
}

func (d Dialect) refused(t *testing.T) {
	for _, c := range []struct {
		status   int
		after    string
		body     string
		said     string
		rejected bool
	}{
		{401, "", `{"error":{"root_cause":[],"type":"security_exception","reason":"unable to authenticate user [x]"},"status":401}`, "401 Unauthorized: security_exception: unable to authenticate user [x]", false},
		{401, "", "Unauthorized", "401 Unauthorized: Unauthorized", false},
		{403, "", `{"error":{"type":"security_exception","reason":"action [indices:data/write/bulk] is unauthorized"},"status":403}`, "403 Forbidden: security_exception: action [indices:data/write/bulk] is unauthorized", false},
		{404, "", `{"error":"no handler"}`, `404 Not Found: {"error":"no handler"}`, false},
		{400, "", `{"error":{"type":"index_closed_exception","reason":"closed"},"status":400}`, "400 Bad Request: index_closed_exception: closed", false},
		{413, "", "", "413 Request Entity Too Large", true},
		{429, "7", `{"error":{"type":"circuit_breaking_exception","reason":"Data too large","caused_by":{"type":"a","reason":"heap"}},"status":429}`, "429 Too Many Requests: circuit_breaking_exception: Data too large (heap)", false},
		{500, "", "<html>oops</html>", "500 Internal Server Error: <html>oops</html>", false},
	} {
		f := notifytest.Failure(t, d.answering(t, c.status, c.after, c.body))
		seconds, _ := strconv.Atoi(c.after) // 0 where there is none
		if f.Said != c.said || f.Rejected != c.rejected || f.After != time.Duration(seconds)*time.Second {
			t.Errorf("%d %s: said %q, rejected %t, after %s; want %q", c.status, c.body, f.Said, f.Rejected, f.After, c.said)
		}
	}
}

// strange are answers of 200 that no documents were stored by.
func (d Dialect) strange(t *testing.T) {
	for body, want := range map[string]string{
		"":                    "nothing that an answer of the bulk API is",
		"<html>Log in</html>": "nothing that an answer of the bulk API is",
		`{}`:                  "answered for 0 of 2 documents",
		`{"items":[{}]}`:      "answered for 1 of 2 documents",
		`{"items":[{},{}]}`:   "2 of 2 documents failed",
		`{"errors":false,"items":[{"create":{"status":201}},{"index":{"status":201}}]}`: "1 of 2 documents failed",
	} {
		f := notifytest.Failure(t, d.answering(t, 200, "", body))
		if !strings.HasPrefix(f.Said, "200 OK, but ") || !strings.Contains(f.Said, want) || f.Rejected {
			t.Errorf("%s: said %q, rejected %t; want %q", body, f.Said, f.Rejected, want)
		}
	}
}

func (d Dialect) refuses(t *testing.T) {
	for _, c := range []struct{ name, value, field string }{
		{"url", "", "url"},
		{"url", "search.example.com:9200", "url"},
		{"url", "https://user:secret@search.example.com", "url"},
		{"url", "https://search.example.com/?pretty", "url"},
		{"index", "Findings", "index"},
		{"index", "find*ings", "index"},
		{"index", "a/b", "index"},
		{"index", "_all", "index"},
		{"index", "..", "index"},
		{"index", strings.Repeat("x", 256), "index"},
		{"ca", "none", "ca"},
		{"colour", "red", "colour"},
	} {
		s := d.settings("https://search.example.com:9200", "")
		s[c.name] = c.value
		notifytest.Refuses(t, d.Kind, s, c.field)
	}
	server := notify.Settings{"url": "https://search.example.com"}
	notifytest.Refuses(t, d.Kind, with(server, "user", "patrol"), "password")
	notifytest.Refuses(t, d.Kind, with(server, "password", "secret"), "user")
	notifytest.Refuses(t, d.Kind, with(with(server, "user", "a:b"), "password", "secret"), "user")
}

func with(s notify.Settings, name, value string) notify.Settings {
	more := notify.Settings{name: value}
	for n, v := range s {
		more[n] = v
	}
	return more
}
