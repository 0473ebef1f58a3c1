package agent

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"testing"
	"time"

	"patrol/internal/wire"
)

// refusal is what an agent has of a console that answers so.
func refusal(t *testing.T, status int, retryAfter string) error {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if retryAfter != "" {
			w.Header().Set("Retry-After", retryAfter)
		}
		w.WriteHeader(status)
	}))
	defer server.Close()
	address, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	client := &wire.Client{Console: address, HTTP: server.Client()}
	_, err = client.Claim(t.Context())
	if err == nil {
		t.Fatalf("%d is no error", status)
	}
	return err
}

func TestDelay(t *testing.T) {
	hour := time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)
	tests := map[string]struct {
		err         error
		attempt     int
		least, most time.Duration
	}{
		"at first":                     {errors.New("x"), 1, time.Second / 2, 2 * time.Second},
		"after many":                   {errors.New("x"), 1000, 16 * time.Second, 48 * time.Second},
		"503 that asks for a minute":   {refusal(t, http.StatusServiceUnavailable, "60"), 1, time.Minute, 91 * time.Second},
		"429 that asks for a minute":   {refusal(t, http.StatusTooManyRequests, "60"), 1000, time.Minute, 91 * time.Second},
		"503 that asks for a second":   {refusal(t, http.StatusServiceUnavailable, "1"), 1000, 16 * time.Second, 48 * time.Second},
		"503 that asks for an hour":    {refusal(t, http.StatusServiceUnavailable, hour), 1, longest, longest * 3 / 2},
		"503 that asks for what is no": {refusal(t, http.StatusServiceUnavailable, "soon"), 1, time.Second / 2, 2 * time.Second},
		"503 that asks for the past":   {refusal(t, http.StatusServiceUnavailable, "Fri, 31 Dec 1999 23:59:59 GMT"), 1, time.Second / 2, 2 * time.Second},
		"503":                          {refusal(t, http.StatusServiceUnavailable, ""), 1, time.Second / 2, 2 * time.Second},
		"500":                          {refusal(t, http.StatusInternalServerError, ""), 1, time.Second / 2, 2 * time.Second},
		"lost, and asks for a minute":  {refusal(t, http.StatusConflict, strconv.Itoa(60)), 1, time.Minute, 91 * time.Second},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for range 100 {
				if got := delay(test.err, test.attempt); got < test.least || got > test.most {
					t.Fatalf("delay of %v = %v; want %v to %v", test.err, got, test.least, test.most)
				}
			}
		})
	}
	if err := refusal(t, http.StatusConflict, "60"); !errors.Is(err, wire.ErrLost) {
		t.Errorf("%v is no longer what it was", err)
	}
}
