package notify_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"patrol/internal/notify"
	"patrol/internal/notify/notifytest"
)

func TestMask(t *testing.T) {
	const hook = "https://hooks.example.com/services/T0001/B0002/abcdefghijklmnopqrst"
	for name, c := range map[string]struct {
		secret, text, want string
	}{
		"none":                  {"", "nothing to hide", "nothing to hide"},
		"itself":                {"xoxb-17", "token xoxb-17, xoxb-17", "token ●●●●, ●●●●"},
		"too short":             {"abc", "abc", "abc"},
		"with a line's end":     {"xoxb-17\n", "token xoxb-17.", "token ●●●●."},
		"a header":              {"Authorization: Bearer t0ken17", "said t0ken17 of Bearer t0ken17", "said ●●●● of ●●●●"},
		"one of several":        {"X-Key: alpha-17\nX-Other: beta-18\n", "beta-18 and alpha-17", "●●●● and ●●●●"},
		"a basic one":           {"Authorization: Basic dXNlcjpwYXNz", "dXNlcjpwYXNz", "●●●●"},
		"in a query":            {"p@ss word/1", "?key=p%40ss+word%2F1&x", "?key=●●●●&x"},
		"in a path":             {"p@ss word/1", "/p@ss%20word%2F1/x", "/●●●●/x"},
		"in JSON":               {`say "so"`, `{"a":"say \"so\""}`, `{"a":"●●●●"}`},
		"an address":            {hook, "POST " + hook + " failed", "POST ●●●● failed"},
		"its path":              {hook, "no service at /services/T0001/B0002/abcdefghijklmnopqrst", "no service at ●●●●"},
		"its token":             {hook, "unknown token abcdefghijklmnopqrst", "unknown token ●●●●"},
		"not its host":          {hook, "dial tcp: lookup hooks.example.com", "dial tcp: lookup hooks.example.com"},
		"an address by another": {"HTTPS://example.com/a b?key=17171717", "Post https://example.com/a%20b?key=17171717: EOF", "Post ●●●●: EOF"},
		"its query":             {"https://example.com/x?key=17171717", "bad key 17171717", "bad key ●●●●"},
		"cut off":               {"0123456789abcdef", "the token 0123456789ab", "the token ●●●●"},
		"cut off within":        {"0123456789abcdef", "the token 0123456789ab… is wrong", "the token ●●●●… is wrong"},
		"no character":          {"", "a\xffb\x00c", "abc"},
	} {
		if got := notify.Mask(c.text, []string{c.secret}); got != c.want {
			t.Errorf("%s: %q; want %q", name, got, c.want)
		}
	}
	if got := notify.Mask("long-secret-one", []string{"secret", "long-secret-one"}); got != "●●●●" {
		t.Errorf("of one within another %q is left", got)
	}
}

// The log of deliveries has the beginning of both sides, and whoever sends gets all.
func TestExchange(t *testing.T) {
	long := strings.Repeat("0123456789abcdef", 2048) // 32 KiB
	far := notifytest.NewFar(t, notifytest.Says(http.StatusAccepted, long, "X-Request-Id", "17", "Set-Cookie", "session=hidden", "Retry-After", "5"))
	client, err := notify.HTTPClient(loopback, far.CA)
	if err != nil {
		t.Fatal(err)
	}
	ctx, exchange := notify.WithExchange(t.Context())
	body, err := notify.Post(ctx, client, far.URL+"/in?key=s3cr3t17", "text/plain", []byte("password é"+long), http.Header{"Authorization": {"Bearer hidden"}})
	if err != nil || string(body) != long {
		t.Fatalf("%d bytes, %v", len(body), err)
	}
	request, response := exchange.Said([]string{"s3cr3t17", "password"})
	for _, want := range []string{"POST " + far.URL + "/in?key=●●●●", "Content-Type: text/plain", "●●●● é0123"} {
		if !strings.Contains(request, want) {
			t.Errorf("%q is not in the request %.300q", want, request)
		}
	}
	for _, want := range []string{"202 Accepted", "X-Request-Id: 17", "Retry-After: 5", "\n\n0123"} {
		if !strings.Contains(response, want) {
			t.Errorf("%q is not in the answer %.300q", want, response)
		}
	}
	for side, text := range map[string]string{"request": request, "answer": response} {
		if strings.Contains(text, "hidden") || strings.Contains(text, "s3cr3t17") {
			t.Errorf("the %s tells secrets: %.300q", side, text)
		}
		if len(text) > 9<<10 || !strings.HasSuffix(text, "…") || !utf8.ValidString(text) {
			t.Errorf("%d bytes of the %s end with %q", len(text), side, text[len(text)-10:])
		}
	}
}

// A secret that stands where the log ends is none the less hidden, in whatever piece.
func TestExchangeCutsNoSecret(t *testing.T) {
	const secret = "abcdefghijklmnopqrstuvwxyz0123456789"
	for at := range 2 * len(secret) {
		for _, limit := range []int{8 << 10, 16 << 10} {
			ctx, exchange := notify.WithExchange(t.Context())
			notify.Note(ctx, strings.Repeat(".", limit-at)+secret+strings.Repeat(".", 99), "")
			request, _ := exchange.Said([]string{secret})
			if strings.Contains(request, secret[:8]) {
				t.Fatalf("%d before %d: %q", at, limit, request[len(request)-60:])
			}
		}
	}
}

// What kept a request from being sent names the address, which is a secret.
func TestURLErrorIsMasked(t *testing.T) {
	client, err := notify.HTTPClient(loopback, "")
	if err != nil {
		t.Fatal(err)
	}
	const hook = "http://127.0.0.1:1/hooks/0123456789abcdefgh"
	ctx, exchange := notify.WithExchange(t.Context())
	_, err = notify.Post(ctx, client, hook, "text/plain", nil, nil)
	if _, ok := err.(*url.Error); !ok {
		t.Fatalf("error is %T %v", err, err)
	}
	request, response := exchange.Said([]string{hook})
	for _, text := range []string{notify.Mask(err.Error(), []string{hook}), request, response} {
		if strings.Contains(text, "0123456789") || text == "" {
			t.Errorf("says %q", text)
		}
	}
	if !strings.Contains(response, "refused") {
		t.Errorf("the log says %q of why", response)
	}
}

// A body that breaks off is an error for whoever reads it, as without the log.
func TestExchangeOfABrokenAnswer(t *testing.T) {
	far := notifytest.NewFar(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "half")
	})
	client, err := notify.HTTPClient(loopback, far.CA)
	if err != nil {
		t.Fatal(err)
	}
	ctx, exchange := notify.WithExchange(t.Context())
	_, err = notify.Post(ctx, client, far.URL, "text/plain", nil, nil)
	_, response := exchange.Said(nil)
	if err == nil || !strings.Contains(response, "half") {
		t.Errorf("error %v, noted %q", err, response)
	}
}

// What senders that speak no HTTP say is noted by Note.
func ExampleNote() {
	ctx, exchange := notify.WithExchange(context.Background())
	notify.Note(ctx, "AUTH PLAIN s3cr3t", "235 welcome")
	notify.Note(ctx, "QUIT", "")
	request, response := exchange.Said([]string{"s3cr3t"})
	fmt.Println(request)
	fmt.Println(response)
	// Output:
	// AUTH PLAIN ●●●●
	// QUIT
	// 235 welcome
}
