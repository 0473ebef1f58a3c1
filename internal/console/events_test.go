package console

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"patrol/internal/client"
	"patrol/internal/platform/auth"
	"patrol/internal/platform/db"
	"patrol/internal/platform/event"
)

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// A reader that follows through the client sees each event once, also where the
// console is stopped and started in between.
func TestFollowAcrossARestart(t *testing.T) {
	dir := t.TempDir()
	var c *client.Client
	start := func(listen string) (stop func() error) {
		address, _, stop := run(t, Options{DataDir: dir, Listen: listen, AdminPassword: password})
		if c == nil {
			c = clientOf(t, address, "")
			if err := c.SignIn(t.Context(), "admin", password); err != nil {
				t.Fatal(err)
			}
		}
		return stop
	}
	stop := start("127.0.0.1:0")
	registered(t, c)
	var followed []string
	broke := 0
	for e, err := range client.Follow(t.Context(), c, "0", []string{"node.*", "test.*"}, func(error) { broke++ }) {
		if err != nil {
			t.Fatal(err)
		}
		followed = append(followed, e.Type)
		if len(followed) == 2 {
			break
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		stop = start(c.Console.Host)
		appendOne(t, dir, "test.happened")
	}
	if followed[0] != "node.registered" || followed[1] != "test.happened" || broke == 0 {
		t.Errorf("followed %q; the stream broke %d times", followed, broke)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func appendOne(t *testing.T, dir, kind string) {
	t.Helper()
	d, err := db.Open(t.Context(), dir+"/patrol.db")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	err = d.Write(t.Context(), func(tx *db.Tx) error { return event.Append(t.Context(), tx, noon, kind, "x", nil) })
	if err != nil {
		t.Fatal(err)
	}
}

func TestFollowTellsWhatIsGone(t *testing.T) {
	h := openHouse(t, publish(t))
	at, err := url.Parse(h.server.URL)
	if err != nil {
		t.Fatal(err)
	}
	c := &client.Client{Console: at, HTTP: http.DefaultClient, Token: h.token(auth.CI)}
	for _, err := range client.Follow(t.Context(), c, "1000", nil, nil) {
		refused, ok := err.(*client.Refused)
		if !ok || refused.Status != http.StatusGone {
			t.Errorf("Follow = %v", err)
		}
	}
}
