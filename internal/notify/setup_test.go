package notify_test

import (
	"archive/zip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"patrol/internal/feed"
	"patrol/internal/finding"
	"patrol/internal/fleet"
	"patrol/internal/match"
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
	"patrol/internal/sbom"
	"patrol/internal/scan"
	"patrol/internal/wire"
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

	feed  published
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
	h := house{notify.NewService(d, findings, f, signals, o, clock.Now), t, d, a, f, findings, clock, signals, o, keyFile, published{}, s, map[string]finding.State{}, new(int)}
	h.feed = newFeed(t, d, clock)
	return h
}

// another is a second console on the same database.
func (h house) another() house {
	h.Service = notify.NewService(h.db, h.findings, h.fleet, h.signals, h.options, h.clock.Now)
	return h
}

// sent is what arrived at the far sides of kinds that speak no protocol: a chat, which
// is told and forgets; a tracker, which keeps one thing for each key; a store, which
// keeps all.
type sent struct {
	mu   sync.Mutex
	list []arrival
	// fails are the errors with which the next attempts end, by the name of the place;
	// nil for one that goes well.
	fails map[string][]error
	// before is called with every attempt, if it is set.
	before func(ctx context.Context, to string, n notify.Notification) error
	opened int
}

type arrival struct {
	to string
	notify.Notification
}

func (s *sent) kind(name string) notify.Kind {
	return notify.Kind{
		Name: name, Title: name, Tracks: name == "tracker", Records: name == "store",
		Fields: []notify.Field{
			{Name: "place", Required: true},
			{Name: "host", Default: "example.com"},
			{Name: "token", Secret: true},
			{Name: "headers", Secret: true, Multiline: true},
		},
		Open: func(set notify.Settings, _ *outgoing.Guard) (notify.Sender, error) {
			if strings.Contains(set.Get("place"), " ") {
				return nil, notify.Invalid("place", "has a space")
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			s.opened++
			return sender{s, set}, nil
		},
	}
}

type sender struct {
	sent *sent
	set  notify.Settings
}

func (s sender) Send(ctx context.Context, n notify.Notification) (string, error) {
	to := s.set.Get("place")
	if s.sent.before != nil {
		if err := s.sent.before(ctx, to, n); err != nil {
			return "", err
		}
	}
	s.sent.mu.Lock()
	defer s.sent.mu.Unlock()
	notify.Note(ctx, "to "+to+" with "+s.set.Get("token")+": "+n.Title, "thanks, "+s.set.Get("token"))
	if fails := s.sent.fails[to]; len(fails) > 0 {
		s.sent.fails[to] = fails[1:]
		if fails[0] != nil {
			return "", fails[0]
		}
	}
	s.sent.list = append(s.sent.list, arrival{to, n})
	return "made-" + n.Key[strings.IndexByte(n.Key, '/')+1:], nil
}

// fail has the next attempts at a place end so.
func (s *sent) fail(place string, with ...error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fails[place] = with
}

// got returns what arrived since the last time, in the order of arrival.
func (s *sent) got() []arrival {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.list
	s.list = nil
	return list
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

func (h house) node(name string, labels ...string) string {
	h.t.Helper()
	facts := wire.Facts{Protocol: wire.Version, Name: name, Labels: map[string]string{}}
	for _, label := range labels {
		key, value, _ := strings.Cut(label, "=")
		facts.Labels[key] = value
	}
	out, err := h.fleet.Register(h.t.Context(), wire.RegisterRequest{Key: "key of the agent on " + name, Facts: facts})
	if err != nil {
		h.t.Fatal(err)
	}
	return out.Node
}

// published is a feed as OSV lays it out, with a store that it is installed in.
type published struct {
	*feed.Service
	t     *testing.T
	store *feed.Store
	dir   string
}

func newFeed(t *testing.T, d *db.DB, clock *clocktest.Clock) published {
	t.Helper()
	store, err := feed.Open(filepath.Join(t.TempDir(), "feed"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	dir := t.TempDir()
	return published{feed.NewService(store, d, feed.Settings{URL: dir}, clock.Now), t, store, dir}
}

// record is an OSV record that a Go module is affected, below a version or in all.
type record struct {
	id, module, fixed, cve, vector string
}

// modified grows, so that each feed is newer than the one before.
var modified = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func (r record) json(at time.Time) map[string]any {
	events := []map[string]string{{"introduced": "0"}}
	if r.fixed != "" {
		events = append(events, map[string]string{"fixed": r.fixed})
	}
	out := map[string]any{
		"id": r.id, "modified": at.Format(time.RFC3339), "summary": "A flaw in " + r.module, "aliases": []string{},
		"affected": []any{map[string]any{
			"package": map[string]string{"ecosystem": "Go", "name": r.module},
			"ranges":  []any{map[string]any{"type": "SEMVER", "events": events}},
		}},
	}
	if r.cve != "" {
		out["aliases"] = []string{r.cve}
	}
	if r.vector != "" {
		out["severity"] = []any{map[string]string{"type": "CVSS_V3", "score": r.vector}}
	}
	return out
}

// publish installs a feed of the records.
func (p published) publish(records ...record) *feed.Revision {
	p.t.Helper()
	if err := os.MkdirAll(filepath.Join(p.dir, "Go"), 0o755); err != nil {
		p.t.Fatal(err)
	}
	file, err := os.Create(filepath.Join(p.dir, "Go", "all.zip"))
	if err != nil {
		p.t.Fatal(err)
	}
	archive := zip.NewWriter(file)
	for _, r := range records {
		w, err := archive.Create(r.id + ".json")
		if err != nil {
			p.t.Fatal(err)
		}
		if err := json.NewEncoder(w).Encode(r.json(modified)); err != nil {
			p.t.Fatal(err)
		}
	}
	if err := errors.Join(archive.Close(), file.Close()); err != nil {
		p.t.Fatal(err)
	}
	if _, err := p.store.Update(p.t.Context(), feed.Options{URL: p.dir, AllowOlder: true}); err != nil {
		p.t.Fatal(err)
	}
	return p.current()
}

func (p published) current() *feed.Revision {
	p.t.Helper()
	rev, err := p.store.Current(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	return rev
}

// Vectors of known scores.
const (
	critical = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H" // 9.8
	medium   = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:L" // 5.3
)

var (
	leak   = record{"GO-1", "example.org/leak", "1.1.0", "CVE-2026-1", critical}
	slip   = record{"GO-2", "example.org/slip", "1.1.0", "CVE-2026-2", medium}
	silent = record{"GO-3", "example.org/silent", "", "CVE-2026-3", ""}
)

// module is a component of a Go program.
func module(r record, version string) sbom.Component {
	return sbom.Component{Ecosystem: "Go", Name: r.module, Version: version, Locations: []string{"app"}}
}

// scan is a complete scan of a node an hour after the last, against the newest feed:
// what the scan room does once a document has come, with the event that it writes.
func (h house) scan(node string, components ...sbom.Component) (id string) {
	h.t.Helper()
	h.clock.Advance(time.Hour)
	*h.scans++
	id = fmt.Sprintf("scan-%03d", *h.scans)
	document, rev := h.put(components...), h.feed.current()
	result, err := h.findings.Match(h.t.Context(), document.Inventory.ID, document.Inventory.Ecosystems, rev)
	if err != nil {
		h.t.Fatal(err)
	}
	after := finding.State{Inventory: document.Inventory.ID, Result: result}
	dbtest.Write(h.t, h.db, func(tx *db.Tx) error {
		now := h.clock.Now()
		if err := h.fleet.Installed(h.t.Context(), tx, node, document); err != nil {
			return err
		}
		opened, resolved, err := h.findings.Apply(h.t.Context(), tx, node, id, h.had[node], after, nil)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(h.t.Context(), `INSERT INTO scan (id, node_id, state, cause, schedule_id, run_id, queued_at, finished_at, due_at, sbom_id, result_id, revision, engine)
			VALUES ($1, $2, 'complete', 'on_demand', '', '', $3, $3, $3, $4, $5, $6, $7)`, id, node, now.UnixMicro(), document.ID, after.Result, rev.ID(), match.EngineVersion)
		if err != nil {
			return err
		}
		return event.AppendTo(h.t.Context(), tx, now, event.Of(node), "scan.completed", id, map[string]any{"opened": opened, "resolved": resolved, "cause": "on_demand"})
	})
	h.had[node] = after
	return id
}

// put keeps a document of the components.
func (h house) put(components ...sbom.Component) fleet.SBOM {
	h.t.Helper()
	doc := &sbom.Document{Components: components}
	doc.Normalize()
	encoded, err := doc.Encode()
	if err != nil {
		h.t.Fatal(err)
	}
	digest := sbom.Digest(encoded)
	if err := h.fleet.Put(h.t.Context(), digest, encoded); err != nil {
		h.t.Fatal(err)
	}
	found, ok, err := h.fleet.Lookup(h.t.Context(), digest)
	if err != nil || !ok {
		h.t.Fatal(ok, err)
	}
	return found
}

// rematch matches the fleet against the newest feed.
func (h house) rematch() {
	h.t.Helper()
	h.clock.Advance(time.Hour)
	if err := h.findings.Rematch(h.t.Context(), h.feed, h.feed.current()); err != nil {
		h.t.Fatal(err)
	}
	for node, had := range h.had {
		had.Result = int64(h.count(`SELECT result_id FROM node_result WHERE node_id = $1`, node))
		h.had[node] = had
	}
}

func (h house) decide(r finding.DecisionRequest) finding.Decision {
	h.t.Helper()
	r.Reason = "Because of the test."
	d, err := h.findings.Decide(h.t.Context(), r, "ada")
	if err != nil {
		h.t.Fatal(err)
	}
	return d
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
