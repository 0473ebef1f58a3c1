package kinds_test

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"patrol/internal/finding"
	"patrol/internal/fleet"
	"patrol/internal/notify"
	"patrol/internal/notify/kinds"
	"patrol/internal/notify/notifytest"
	"patrol/internal/platform/audit"
	"patrol/internal/platform/auth"
	"patrol/internal/platform/clocktest"
	"patrol/internal/platform/db"
	"patrol/internal/platform/db/dbtest"
	"patrol/internal/platform/event"
	"patrol/internal/platform/lease"
	"patrol/internal/platform/rest"
	"patrol/internal/platform/secret"
	"patrol/internal/scan"
)

// TestBadFarSides: whatever is wrong on the far side, or with what the console was told
// of it, is one clear state of the integration, which passes once it is mended; no
// secret is in it.
func TestBadFarSides(t *testing.T) {
	const token = "xoxb-very-secret-token"
	answer := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}
	}
	slack := func(url string) notify.NewIntegration {
		return notify.NewIntegration{Kind: "slack", Settings: notify.Settings{"token": token, "channel": "#security", "api_url": url}}
	}
	webhook := func(url string) notify.NewIntegration {
		return notify.NewIntegration{Kind: "http", Settings: notify.Settings{"url": url + "/hook/" + token}}
	}
	for name, test := range map[string]struct {
		far      http.HandlerFunc
		stranger bool // whose certificate nobody trusts
		add      func(url string) notify.NewIntegration
		because  string
		dead     bool // the notification is given up at once
	}{
		"expired credential":      {answer(200, `{"ok":false,"error":"token_expired"}`), false, slack, "token_expired", false},
		"wrong channel":           {answer(200, `{"ok":false,"error":"channel_not_found"}`), false, slack, "channel_not_found", false},
		"401":                     {answer(401, `{"message":"who are you"}`), false, webhook, "who are you", false},
		"404":                     {answer(404, `no such hook`), false, webhook, "404 Not Found: no such hook", false},
		"413":                     {answer(413, `too large`), false, webhook, "413", true},
		"TLS":                     {answer(200, ``), true, webhook, "certificate", false},
		"redirect to metadata":    {http.RedirectHandler("http://169.254.169.254/latest/meta-data/", http.StatusFound).ServeHTTP, false, webhook, "redirect", false},
		"a panic of the far side": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, false, webhook, "closed the connection", false},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			far := httptest.NewUnstartedServer(test.far)
			far.Config.ErrorLog = log.New(io.Discard, "", 0)
			if test.stranger {
				far.TLS = stranger(t)
			}
			far.StartTLS()
			t.Cleanup(far.Close)
			add := test.add(far.URL)
			add.Name = "far"
			i := h.tell(add)
			if i.State != notify.Failing || i.FailingSince.IsZero() || !strings.Contains(i.FailingBecause, test.because) {
				t.Errorf("the integration is %s since %v because %q; want it to say %q", i.State, i.FailingSince, i.FailingBecause, test.because)
			}
			if strings.Contains(i.FailingBecause, token) {
				t.Errorf("because %q, which holds a secret", i.FailingBecause)
			}
			if dead := i.Dead == 1; dead != test.dead || i.Dead+i.Pending != 1 {
				t.Errorf("%d are given up and %d wait; given up want %t", i.Dead, i.Pending, test.dead)
			}
			h.mend(i.ID)
		})
	}
}

// stranger has a certificate that nobody trusts.
func stranger(t *testing.T) *tls.Config {
	c := notifytest.NewCertificates(t)
	pair, err := tls.X509KeyPair([]byte(c.ServerCert), []byte(c.ServerKey))
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}}
}

func TestMain(m *testing.M) { os.Exit(notifytest.Trusting(m)) }

type house struct {
	*notify.Service
	t     *testing.T
	db    *db.DB
	clock *clocktest.Clock
}

func newHouse(t *testing.T) house {
	d := dbtest.OpenSQLite(t, filepath.Join(t.TempDir(), "patrol.db"), event.Migrations, audit.Migrations, auth.Migrations, fleet.Migrations,
		finding.Migrations, scan.Migrations, notify.Migrations)
	clock := clocktest.At(time.Date(2026, 8, 21, 12, 0, 0, 0, time.UTC))
	keeper, err := secret.Open(filepath.Join(t.TempDir(), "secrets.key"), "")
	if err != nil {
		t.Fatal(err)
	}
	nodes := fleet.NewService(d, auth.NewService(d, clock.Now), lease.NewSignals(), clock.Now)
	return house{notify.NewService(d, finding.NewService(d, nodes, clock.Now), nodes, lease.NewSignals(), notify.Options{
		Kinds: kinds.All(), Guard: notifytest.Guard(), Keeper: keeper,
	}, clock.Now), t, d, clock}
}

// tell adds an integration, has something told to it, and returns how it does then.
func (h house) tell(add notify.NewIntegration) notify.Integration {
	h.t.Helper()
	ctx := h.t.Context()
	i, err := h.CreateIntegration(ctx, add)
	if err != nil {
		h.t.Fatal(err)
	}
	if _, err := h.CreateRule(ctx, notify.RuleDefinition{Name: "all", Enabled: true, Types: []string{"feed.stale"}, Integrations: []string{i.ID}}); err != nil {
		h.t.Fatal(err)
	}
	dbtest.Write(h.t, h.db, func(tx *db.Tx) error {
		return event.Append(ctx, tx, h.clock.Now(), "feed.stale", "feed", map[string]string{})
	})
	return h.deliver(ctx, i.ID)
}

func (h house) deliver(ctx context.Context, id string) notify.Integration {
	h.t.Helper()
	if _, err := h.Read(ctx); err != nil {
		h.t.Fatal(err)
	}
	if err := h.Deliver(ctx); err != nil {
		h.t.Fatal(err)
	}
	i, err := h.Integration(ctx, id)
	if err != nil {
		h.t.Fatal(err)
	}
	return i
}

// mend has the far side take everything, and wants what was told to arrive and the
// state to pass.
func (h house) mend(id string) {
	h.t.Helper()
	ctx := h.t.Context()
	good := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"ok":true,"ts":"1","channel":"C1"}`))
	}))
	h.t.Cleanup(good.Close)
	change := notify.IntegrationChange{Settings: notify.Settings{"url": good.URL}}
	if i, err := h.Integration(ctx, id); err != nil || i.Kind == "slack" {
		change = notify.IntegrationChange{Settings: notify.Settings{"api_url": good.URL, "token": "xoxb-another-secret-token"}}
	}
	if _, err := h.EditIntegration(ctx, id, change); err != nil {
		h.t.Fatal(err)
	}
	if _, err := h.RedeliverAll(ctx, id); err != nil {
		h.t.Fatal(err)
	}
	h.clock.Advance(time.Hour)
	if i := h.deliver(ctx, id); i.State != notify.Healthy || i.Pending+i.Dead > 0 {
		h.t.Errorf("once it is mended: %+v", i)
	}
	page, err := h.Deliveries(ctx, notify.DeliveryQuery{Integration: id}, rest.Paging{Limit: 10})
	if err != nil || len(page.Items) != 1 || page.Items[0].State != notify.Delivered {
		h.t.Errorf("deliveries %+v, %v", page.Items, err)
	}
}
