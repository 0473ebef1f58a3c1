package notify_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"patrol/internal/notify"
	"patrol/internal/notify/notifytest"
)

func TestDo(t *testing.T) {
	far := notifytest.NewFar(t, nil)
	client, err := notify.HTTPClient(loopback, far.CA)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		status   int
		body     string
		header   []string
		said     string // "" for success
		rejected bool
		after    time.Duration
	}{
		"well":               {status: 200},
		"well, nothing":      {status: 204},
		"bad":                {status: 400, body: "no such\n\n field", said: "400 Bad Request: no such field", rejected: true},
		"too large":          {status: 413, said: "413 Request Entity Too Large", rejected: true},
		"not that type":      {status: 415, said: "415 Unsupported Media Type", rejected: true},
		"not that content":   {status: 422, said: "422 Unprocessable Entity", rejected: true},
		"token expired":      {status: 401, said: "401 Unauthorized"},
		"forbidden":          {status: 403, said: "403 Forbidden"},
		"gone for now":       {status: 404, said: "404 Not Found"},
		"too often":          {status: 429, header: []string{"Retry-After", "7"}, said: "429 Too Many Requests", after: 7 * time.Second},
		"until a date":       {status: 503, header: []string{"Retry-After", noon.Add(time.Minute).Format(http.TimeFormat)}, said: "503 Service Unavailable", after: time.Minute},
		"until one passed":   {status: 503, header: []string{"Retry-After", noon.Add(-time.Minute).Format(http.TimeFormat)}, said: "503 Service Unavailable"},
		"for years":          {status: 503, header: []string{"Retry-After", "99999999"}, said: "503 Service Unavailable", after: 24 * time.Hour},
		"for less than none": {status: 503, header: []string{"Retry-After", "-5"}, said: "503 Service Unavailable"},
		"for nonsense":       {status: 503, header: []string{"Retry-After", "soon"}, said: "503 Service Unavailable"},
		"no known status":    {status: 599, said: "599"},
		"a redirect":         {status: 300, said: "300 Multiple Choices"},
		"much":               {status: 500, body: strings.Repeat("é", 300), said: "500 Internal Server Error: " + strings.Repeat("é", 250) + "…"},
	} {
		far.Answer(notifytest.Says(c.status, c.body, c.header...))
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, far.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = notify.Do(client, r, noon)
		var failure *notify.Failure
		switch {
		case c.said == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.said == "":
		case !errors.As(err, &failure):
			t.Errorf("%s: %v is no failure", name, err)
		case *failure != notify.Failure{Said: c.said, Rejected: c.rejected, After: c.after}:
			t.Errorf("%s: %+v", name, failure)
		}
	}
}
