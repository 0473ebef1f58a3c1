package client_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"patrol/internal/client"
	"patrol/internal/console"
	"patrol/internal/platform/auth"
	"patrol/internal/schedule"
)

const password = "correct horse battery staple"

// open runs a console, and returns a client that is signed in to it.
func open(t *testing.T) *client.Client {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		ended <- console.Run(ctx, console.Options{
			DataDir: t.TempDir(), Listen: "127.0.0.1:0", FeedURL: t.TempDir(), FeedInterval: time.Hour,
			AdminPassword: password, Version: "test", Out: io.Discard, Ready: func(url string) { ready <- url },
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	select {
	case address := <-ready:
		c := at(t, address)
		if err := c.SignIn(t.Context(), "admin", password); err != nil {
			t.Fatal(err)
		}
		return c
	case err := <-ended:
		ended <- err
		t.Fatal(err)
		return nil
	}
}

func at(t *testing.T, address string) *client.Client {
	t.Helper()
	console, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	transport := new(http.Transport)
	t.Cleanup(transport.CloseIdleConnections)
	return &client.Client{Console: console, HTTP: &http.Client{Transport: transport}}
}

func TestListReadsAllPages(t *testing.T) {
	c := open(t)
	for i := range 5 {
		if _, err := c.CreateToken(t.Context(), auth.CI, fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	for _, limit := range []string{"1", "2", "5", "100"} {
		names := []string{}
		for token, err := range client.List[auth.Token](t.Context(), c, "tokens", url.Values{"limit": {limit}}) {
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, token.Name)
		}
		if got := strings.Join(names, ""); got != "01234" {
			t.Errorf("pages of %s: %s", limit, got)
		}
	}
	for _, err := range client.List[auth.Token](t.Context(), c, "tokens", url.Values{"limit": {"none"}}) {
		wantSays(t, err, "limit")
	}
}

func TestErrorsSayWhatTheConsoleSays(t *testing.T) {
	c := open(t)
	err := c.Do(t.Context(), http.MethodPost, "schedules", schedule.Definition{Name: "a", Cron: "0 0 30 2 *", TimeZone: "UTC", Selector: "true"}, nil)
	wantSays(t, err, "never fires")
	wantSays(t, c.Do(t.Context(), http.MethodGet, "nodes/none", nil, nil), "none")
	wantSays(t, c.SignIn(t.Context(), "admin", "wrong"), "wrong")
	wantSays(t, c.Do(t.Context(), http.MethodGet, "nodes", nil, nil), "--token") // the failed sign-in left none
}

// A console may stand below a path of a larger site.
func TestConsoleBelowAPath(t *testing.T) {
	c := open(t)
	proxy := httptest.NewServer(http.StripPrefix("/patrol", httputil.NewSingleHostReverseProxy(c.Console)))
	defer proxy.Close()
	for _, address := range []string{proxy.URL + "/patrol", proxy.URL + "/patrol/"} {
		below := at(t, address)
		if err := below.SignIn(t.Context(), "admin", password); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestNoConsole(t *testing.T) {
	other := httptest.NewServer(http.NotFoundHandler())
	address := other.URL
	wantSays(t, at(t, address).SignIn(t.Context(), "admin", password), "no Patrol console")
	other.Close()
	wantSays(t, at(t, address).SignIn(t.Context(), "admin", password), "is it running")
}

func wantSays(t *testing.T, err error, says string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), says) {
		t.Errorf("error = %v; want it to say %q", err, says)
	}
}
