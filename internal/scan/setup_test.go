package scan_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"patrol/internal/feed"
	"patrol/internal/finding"
	"patrol/internal/fleet"
	"patrol/internal/platform/audit"
	"patrol/internal/platform/auth"
	"patrol/internal/platform/clocktest"
	"patrol/internal/platform/db"
	"patrol/internal/platform/db/dbtest"
	"patrol/internal/platform/event"
	"patrol/internal/platform/lease"
	"patrol/internal/platform/problem"
	"patrol/internal/sbom"
	"patrol/internal/scan"
	"patrol/internal/schedule"
	"patrol/internal/wire"
)

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// house is the room with what it stands on.
type house struct {
	*scan.Service
	t         *testing.T
	db        *db.DB
	fleet     *fleet.Service
	findings  *finding.Service
	knowledge *feed.Service
	signals   *lease.Signals
	clock     *clocktest.Clock
}

// each runs a suite on every database, with the Debian part of the sample as the
// feed.
func each(t *testing.T, suite func(t *testing.T, h house)) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		clock, signals := clocktest.At(noon), lease.NewSignals()
		f := fleet.NewService(d, auth.NewService(d, clock.Now), signals, clock.Now)
		findings := finding.NewService(d, f, clock.Now)
		knowledge := installFeed(t, d, clock)
		s := scan.NewService(d, f, findings, knowledge, signals, clock.Now)
		suite(t, house{s, t, d, f, findings, knowledge, signals, clock})
	}, event.Migrations, audit.Migrations, auth.Migrations, feed.Migrations, fleet.Migrations, finding.Migrations, scan.Migrations, schedule.Migrations)
}

func installFeed(t *testing.T, d *db.DB, clock *clocktest.Clock) *feed.Service {
	t.Helper()
	published := t.TempDir()
	if err := os.CopyFS(filepath.Join(published, "Debian"), os.DirFS("../feed/sample/Debian")); err != nil {
		t.Fatal(err)
	}
	store, err := feed.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	service := feed.NewService(store, d, feed.Settings{URL: published, Interval: time.Hour}, clock.Now)
	if _, err := service.Update(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	return service
}

func (h house) node(name string) string {
	h.t.Helper()
	out, err := h.fleet.Register(h.t.Context(), wire.RegisterRequest{Key: "key of the agent on " + name, Facts: wire.Facts{Protocol: wire.Version, Name: name}})
	if err != nil {
		h.t.Fatal(err)
	}
	return out.Node
}

// start queues a scan of a node.
func (h house) start(node string) string {
	h.t.Helper()
	scans, err := h.StartOnDemand(h.t.Context(), []string{node})
	if err != nil || len(scans) != 1 {
		h.t.Fatal(scans, err)
	}
	return scans[0].ID
}

// claim gives the node's agent its one command.
func (h house) claim(node string) wire.Command {
	h.t.Helper()
	out, err := h.Claim(h.t.Context(), node)
	if err != nil || len(out.Commands) != 1 {
		h.t.Fatalf("Claim = %+v, %v; want one command", out, err)
	}
	return out.Commands[0]
}

// collected is what the agents of these tests find: gzip before it was fixed,
// and something that the feed does not cover.
func collected(t *testing.T) (digest string, encoded []byte) {
	t.Helper()
	doc := &sbom.Document{Components: []sbom.Component{
		{Ecosystem: "Debian:12", Name: "gzip", Version: "1.3.5-10"},
		{Ecosystem: "amzn:2023", Name: "bash", Version: "5.2"},
	}}
	doc.Normalize()
	encoded, err := doc.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return sbom.Digest(encoded), encoded
}

// report carries a new scan of a node as far as its agent does.
func (h house) report(node string) (id string) {
	h.t.Helper()
	id = h.start(node)
	command := h.claim(node)
	digest, encoded := collected(h.t)
	if err := h.fleet.Put(h.t.Context(), digest, encoded); err != nil {
		h.t.Fatal(err)
	}
	out, err := h.Finish(h.t.Context(), node, command.ID, wire.FinishRequest{LeaseID: command.LeaseID, DocumentDigest: digest})
	if err != nil || out.Send {
		h.t.Fatalf("Finish = %+v, %v", out, err)
	}
	return id
}

// match lets the console match the next scan.
func (h house) match() bool {
	h.t.Helper()
	worked, err := h.MatchNext(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	return worked
}

func (h house) get(id string) scan.Scan {
	h.t.Helper()
	s, err := h.Get(h.t.Context(), id)
	if err != nil {
		h.t.Fatal(err)
	}
	return s
}

// wantState reads a scan and checks how far it is.
func (h house) wantState(id, want string) scan.Scan {
	h.t.Helper()
	s := h.get(id)
	if s.State != want {
		h.t.Errorf("scan is %s (%s); want %s", s.State, s.Error, want)
	}
	return s
}

// events counts the events of a kind about a scan.
func (h house) events(kind, id string) int {
	h.t.Helper()
	return dbtest.Count(h.t, h.db.Read(), `SELECT count(*) FROM event WHERE type = $1 AND subject = $2`, kind, id)
}

func wantProblem(t *testing.T, err error, kind problem.Kind) {
	t.Helper()
	var p *problem.Error
	if !errors.As(err, &p) || p.Kind != kind {
		t.Errorf("error = %v; want a problem of kind %d", err, kind)
	}
}
