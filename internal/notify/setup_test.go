package notify_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"patrol/internal/feed"
	"patrol/internal/feed/feedtest"
	"patrol/internal/finding"
	"patrol/internal/fleet"
	"patrol/internal/notify"
	kindhttp "patrol/internal/notify/http"
	"patrol/internal/platform/audit"
	"patrol/internal/platform/auth"
	"patrol/internal/platform/clocktest"
	"patrol/internal/platform/db"
	"patrol/internal/platform/db/dbtest"
	"patrol/internal/platform/event"
	"patrol/internal/platform/lease"
	"patrol/internal/platform/outgoing"
	"patrol/internal/platform/problem"
	"patrol/internal/platform/rest"
	"patrol/internal/platform/secret"
	"patrol/internal/scan"
)

// noon is a Friday.
var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// loopback lets tests have their far sides on this machine.
var loopback = outgoing.New([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")})

// house is the room with what it stands on.
type house struct {
	*notify.Service
	t        *testing.T
	db       *db.DB
	auth     *auth.Service
	fleet    *fleet.Service
	findings *finding.Service
	clock    *clocktest.Clock
	signals  *lease.Signals
	options  notify.Options
	keyFile  string

	feed  feedtest.Feed
	sent  *sent
	had   map[string]finding.State // what each node's last scan left
	scans *int
}

var migrations = []db.Migrations{
	event.Migrations, audit.Migrations, auth.Migrations, feed.Migrations, fleet.Migrations, finding.Migrations, scan.Migrations, notify.Migrations,
}

// each runs a suite on every database.
func each(t *testing.T, suite func(t *testing.T, h house)) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) { suite(t, newHouse(t, d)) }, migrations...)
}

func newHouse(t *testing.T, d *db.DB) house {
	t.Helper()
	clock, signals := clocktest.At(noon), lease.NewSignals()
	d.OnWake(signals.Wake)
	a := auth.NewService(d, clock.Now)
	f := fleet.NewService(d, a, signals, clock.Now)
	findings := finding.NewService(d, f, clock.Now)
	f.SetLifecycle(fleet.Lifecycle{OnRetire: []func(context.Context, *db.Tx, string) error{findings.Retire}})
	findings.SetDue(func(context.Context) (finding.Due, error) { return finding.DefaultDue, nil })
	keyFile := filepath.Join(t.TempDir(), "secrets.key")
	keeper, err := secret.Open(keyFile, "")
	if err != nil {
		t.Fatal(err)
	}
	s := &sent{fails: make(map[string][]error)}
	o := notify.Options{
		Kinds: []notify.Kind{kindhttp.Kind(), s.kind("chat"), s.kind("tracker"), s.kind("store")},
		Guard: loopback, Keeper: keeper, PublicURL: "https://patrol.example/", Team: a.TeamSelector,
	}
	return house{
		notify.NewService(d, findings, f, signals, o, clock.Now), t, d, a, f, findings, clock, signals, o, keyFile,
		feedtest.New(t, d, clock.Now), s,
		map[string]finding.State{},
		new(int),
	}
}

// another is a second console on the same database.
func (h house) another() house {
	h.Service = notify.NewService(h.db, h.findings, h.fleet, h.signals, h.options, h.clock.Now)
	return h
}

// integration adds one of a kind of these tests.
func (h house) integration(kind, place string) string {
	h.t.Helper()
	return h.add(notify.NewIntegration{Name: place, Kind: kind, Settings: notify.Settings{"place": place}})
}

func (h house) add(n notify.NewIntegration) string {
	h.t.Helper()
	i, err := h.CreateIntegration(h.t.Context(), n)
	if err != nil {
		h.t.Fatal(err)
	}
	return i.ID
}

func (h house) getIntegration(id string) notify.Integration {
	h.t.Helper()
	i, err := h.Integration(h.t.Context(), id)
	if err != nil {
		h.t.Fatal(err)
	}
	return i
}

// about is a rule about findings, for tests to change.
func about(integrations ...string) notify.RuleDefinition {
	return notify.RuleDefinition{Name: "Findings", Enabled: true, Types: []string{notify.OccurrenceOpened}, Integrations: integrations}
}

// of is one about other events.
func of(types []string, integrations ...string) notify.RuleDefinition {
	return notify.RuleDefinition{Name: "Events", Enabled: true, Types: types, Integrations: integrations}
}

func (h house) rule(d notify.RuleDefinition) string {
	h.t.Helper()
	r, err := h.CreateRule(h.t.Context(), d)
	if err != nil {
		h.t.Fatal(err)
	}
	return r.ID
}

func (h house) getRule(id string) notify.Rule {
	h.t.Helper()
	r, err := h.Rule(h.t.Context(), id)
	if err != nil {
		h.t.Fatal(err)
	}
	return r
}

func (h house) editRule(id string, d notify.RuleDefinition) {
	h.t.Helper()
	if _, err := h.EditRule(h.t.Context(), id, d); err != nil {
		h.t.Fatal(err)
	}
}

// read has the rules read.
func (h house) read() {
	h.t.Helper()
	if _, err := h.Read(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
}

// send sends what is due.
func (h house) send() {
	h.t.Helper()
	if err := h.Deliver(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
}

// told has the rules read and sends what is due, and returns what arrived, one line
// each: "place action severity title".
func (h house) told() []string {
	h.t.Helper()
	h.read()
	h.send()
	return h.arrived()
}

// arrived returns what arrived, by places.
func (h house) arrived() []string {
	lines := []string{}
	for _, a := range h.sent.got() {
		lines = append(lines, fmt.Sprintf("%s %s %s %s", a.to, a.Action, a.Severity, a.Title))
	}
	slices.Sort(lines)
	return lines
}

// wantTold reads, delivers, and checks what arrived.
func (h house) wantTold(when string, want ...string) {
	h.t.Helper()
	want = slices.Concat([]string{}, want)
	slices.Sort(want)
	if got := h.told(); !slices.Equal(got, want) {
		h.t.Errorf("%s: arrived\n\t%s\nwant\n\t%s", when, strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

// deliveries returns those of a query, newest first.
func (h house) deliveries(q notify.DeliveryQuery) []notify.Delivery {
	h.t.Helper()
	page, err := h.Deliveries(h.t.Context(), q, rest.Paging{Limit: 1000})
	if err != nil {
		h.t.Fatal(err)
	}
	return page.Items
}

// states are those of all deliveries, the oldest first.
func (h house) states() []string {
	h.t.Helper()
	states := []string{}
	for _, d := range h.deliveries(notify.DeliveryQuery{}) {
		states = append(states, fmt.Sprint(d.Action, " ", d.State))
	}
	slices.Reverse(states)
	return states
}

func (h house) log(id string) notify.DeliveryLog {
	h.t.Helper()
	d, err := h.Delivery(h.t.Context(), id)
	if err != nil {
		h.t.Fatal(err)
	}
	return d
}

// happens appends an event.
func (h house) happens(kind, subject, node string, data any) {
	h.t.Helper()
	dbtest.Write(h.t, h.db, func(tx *db.Tx) error {
		return event.AppendTo(h.t.Context(), tx, h.clock.Now(), event.Of(node), kind, subject, data)
	})
}

func (h house) count(query string, args ...any) int {
	h.t.Helper()
	return dbtest.Count(h.t, h.db.Read(), query, args...)
}

func (h house) execute(query string, args ...any) {
	h.t.Helper()
	dbtest.Write(h.t, h.db, func(tx *db.Tx) error {
		_, err := tx.ExecContext(h.t.Context(), query, args...)
		return err
	})
}

func wantProblem(t *testing.T, err error, kind problem.Kind, field string) *problem.Error {
	t.Helper()
	var p *problem.Error
	if !errors.As(err, &p) || p.Kind != kind || p.Field != field {
		t.Errorf("error = %v; want a problem of kind %d with %q", err, kind, field)
		return &problem.Error{}
	}
	return p
}

func pointer[T any](v T) *T { return &v }
