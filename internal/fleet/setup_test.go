package fleet_test

import (
	"errors"
	"testing"
	"time"

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
	"patrol/internal/wire"
)

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// house is the room with what it stands on.
type house struct {
	*fleet.Service
	t     *testing.T
	db    *db.DB
	auth  *auth.Service
	clock *clocktest.Clock
}

// each runs a suite on every database. A node's row tells of its scans and
// findings, so their tables are there.
func each(t *testing.T, suite func(t *testing.T, h house)) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		clock := clocktest.At(noon)
		a := auth.NewService(d, clock.Now)
		s := fleet.NewService(d, a, lease.NewSignals(), clock.Now)
		fleet.Gather(s, 0) // tests send one after another
		suite(t, house{s, t, d, a, clock})
	}, event.Migrations, audit.Migrations, auth.Migrations, fleet.Migrations, finding.Migrations, scan.Migrations)
}

func facts(name string) wire.Facts {
	return wire.Facts{
		Protocol: wire.Version, Agent: "1.0", Name: name, MachineID: "m-" + name, Architecture: "amd64", Kernel: "6.1",
		Distribution: sbom.Distribution{ID: "debian", Version: "12", Name: "Debian GNU/Linux 12"},
		Labels:       map[string]string{"env": "production"},
	}
}

// register makes a node of that name.
func (h house) register(name string) wire.RegisterResponse {
	h.t.Helper()
	out, err := h.Register(h.t.Context(), wire.RegisterRequest{Key: "key of the agent on " + name, Facts: facts(name)})
	if err != nil {
		h.t.Fatal(err)
	}
	return out
}

func (h house) node(id string) fleet.Node {
	h.t.Helper()
	n, err := h.Get(h.t.Context(), id)
	if err != nil {
		h.t.Fatal(err)
	}
	return n
}

// put encodes a document, keeps it, and returns its digest.
func (h house) put(doc *sbom.Document) string {
	h.t.Helper()
	encoded := encode(h.t, doc)
	digest := sbom.Digest(encoded)
	if err := h.Put(h.t.Context(), digest, encoded); err != nil {
		h.t.Fatal(err)
	}
	return digest
}

func (h house) lookup(digest string) fleet.SBOM {
	h.t.Helper()
	found, ok, err := h.Lookup(h.t.Context(), digest)
	if err != nil || !ok {
		h.t.Fatalf("Lookup(%s) = %v, %v", digest, ok, err)
	}
	return found
}

func encode(t *testing.T, doc *sbom.Document) []byte {
	t.Helper()
	doc.Normalize()
	encoded, err := doc.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}

// openssl is a component with the places where it stands.
func openssl(locations ...string) sbom.Component {
	return sbom.Component{
		Ecosystem: "Debian:12", Name: "libssl3", Version: "3.0.11-1", PURL: "pkg:deb/debian/libssl3@3.0.11-1?arch=amd64",
		Source: sbom.SourcePackage{Name: "openssl", Version: "3.0.11-1"}, Locations: locations,
	}
}

func wantProblem(t *testing.T, err error, kind problem.Kind) {
	t.Helper()
	var p *problem.Error
	if !errors.As(err, &p) || p.Kind != kind {
		t.Errorf("error = %v; want a problem of kind %d", err, kind)
	}
}
