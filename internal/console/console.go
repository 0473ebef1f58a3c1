// Package console wires the server: it opens what every room stands on, builds
// the rooms, mounts their routes, and runs their loops. It has no rules of its
// own.
package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"net/url"
	"path/filepath"
	"sync"
	"time"

	"patrol/internal/feed"
	"patrol/internal/finding"
	"patrol/internal/fleet"
	"patrol/internal/notify"
	"patrol/internal/notify/kinds"
	"patrol/internal/operations"
	"patrol/internal/platform/audit"
	"patrol/internal/platform/auth"
	"patrol/internal/platform/blob"
	"patrol/internal/platform/db"
	"patrol/internal/platform/event"
	"patrol/internal/platform/lease"
	"patrol/internal/platform/outgoing"
	"patrol/internal/platform/secret"
	"patrol/internal/platform/trace"
	"patrol/internal/policy"
	"patrol/internal/scan"
	"patrol/internal/schedule"
)

// Options are the settings of a console.
type Options struct {
	DataDir string
	// DatabaseURL is that of a PostgreSQL database, which any number of consoles may
	// share; a file in DataDir if it is empty.
	DatabaseURL string
	// BlobURL is where consoles that share a database share large objects:
	// s3://BUCKET or file:///DIRECTORY. A directory in DataDir if it is empty,
	// which suits a single console.
	BlobURL string
	// Listen is host:port. Any address but loopback is served over TLS.
	Listen string
	// TLSCert and TLSKey are PEM files; without them the certificate is
	// self-signed.
	TLSCert, TLSKey string
	// PlainHTTP serves any address without TLS: a balancer in front has it.
	PlainHTTP    bool
	FeedURL      string
	FeedInterval time.Duration
	// FeedStaleAfter is how long after its last successful update the feed is stale;
	// zero for the default.
	FeedStaleAfter time.Duration
	// Ecosystems are those to take from a URL; none means what the inventory holds.
	Ecosystems []string
	// Intelligence is where the sources beside OSV are published.
	Intelligence feed.Addresses
	// AdminPassword is that of the first administrator; one is made up and
	// printed if it is empty.
	AdminPassword string
	// TrustedProxies are the networks of proxies that say whom they ask for.
	TrustedProxies auth.Proxies
	// OIDC is the identity provider, if there is one.
	OIDC    auth.OIDC
	Version string
	// OTLPEndpoint is where traces are sent; without it the variables of
	// OpenTelemetry decide.
	OTLPEndpoint string
	// DrainDelay is how long a console that was told to end still answers, so that a
	// load balancer notices first.
	DrainDelay time.Duration
	// NodeRetention is how long a node may be inactive before it is retired; 0 is
	// for ever.
	NodeRetention time.Duration
	// PublicURL is where people reach the console, for links in notifications.
	PublicURL string
	// OutgoingAllow are networks of this machine and its surroundings to which
	// integrations may lead.
	OutgoingAllow []netip.Prefix
	// SecretsKey are the keys by which the secrets of integrations are sealed, for
	// consoles that share a database; a file in DataDir if it is empty.
	SecretsKey string
	// Out is where a person reads what they need once: address, password,
	// fingerprint.
	Out io.Writer
	// Ready, if set, is called with the console's URL once it answers.
	Ready func(url string)
}

// Console is an open console.
type Console struct {
	options   Options
	db        *db.DB
	signals   *lease.Signals
	blobs     *blob.Store // nil without consoles to share with
	relay     *relay
	events    *event.Log
	store     *feed.Store
	auth      *auth.Service
	audit     *audit.Log
	fleet     *fleet.Service
	feed      *feed.Service
	findings  *finding.Service
	scans     *scan.Service
	schedules *schedule.Service
	notify    *notify.Service

	operations *operations.Service
	metrics    *operations.Metrics
}

// Open opens the data directory and brings it up to date.
func Open(ctx context.Context, o Options) (_ *Console, err error) {
	c := &Console{options: o}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close())
		}
	}()
	if c.db, err = openDatabase(ctx, o); err != nil {
		return nil, err
	}
	if err := c.prepareDatabase(ctx); err != nil {
		return nil, err
	}
	if c.store, err = feed.Open(filepath.Join(o.DataDir, "feed")); err != nil {
		return nil, err
	}
	now := time.Now
	signals := lease.NewSignals()
	c.signals = signals
	c.relay = newRelay(c.db, signals)
	c.events = event.NewLog(c.db, signals, now)
	c.auth, c.audit = auth.NewService(c.db, now), audit.NewLog(c.db)
	c.auth.UseOIDC(o.OIDC)
	c.auth.CheckSelectors(func(expression string) error {
		_, err := policy.Compile(expression)
		return err
	})
	c.fleet = fleet.NewService(c.db, c.auth, signals, now)
	c.findings = finding.NewService(c.db, c.fleet, now)
	c.feed = feed.NewService(c.store, c.db, feed.Settings{
		URL: o.FeedURL, Interval: o.FeedInterval, StaleAfter: o.FeedStaleAfter, Ecosystems: o.Ecosystems, Installed: c.fleet.Ecosystems,
		Intelligence: o.Intelligence, Signals: signals, Shared: c.shared(),
		Reassess: func(ctx context.Context, known *feed.Intelligence) error { return c.findings.Reassess(ctx, known) },
	}, now)
	c.events.Guard(c.auth.Unchanged, func(ctx context.Context) (string, error) {
		scope, err := c.fleet.Scope(ctx)
		return scope.Column, err
	})
	c.scans = scan.NewService(c.db, c.fleet, c.findings, c.feed, signals, now)
	c.scans.SetAutomatic(func(ctx context.Context, q db.Querier) (scan.Automatic, error) {
		a, err := operations.ReadAutomatic(ctx, q)
		return scan.Automatic(a), err
	})
	c.fleet.SetLifecycle(fleet.Lifecycle{
		Retention: o.NodeRetention,
		OnRetire:  []func(context.Context, *db.Tx, string) error{c.findings.Retire, c.scans.Retire, c.fleet.Uninstalled},
		OnArrive:  []func(context.Context, *db.Tx, []fleet.NodeName) error{c.scans.Arrive},
	})
	c.schedules = schedule.NewService(c.db, c.scans, c.fleet, c.feed, signals, now)
	c.operations = operations.NewService(c.db, c.events, c.feed, operations.Options{
		DataDir: o.DataDir, Version: o.Version, FeedURL: o.FeedURL, Listening: c.fleet.Listening,
		Unopened: func(ctx context.Context) ([]string, error) { return told(c.notify.CheckSecrets(ctx)) },
	}, now)
	c.findings.SetDue(c.operations.Due)
	c.metrics = c.operations.Metrics()
	if err := c.openNotify(signals, now); err != nil {
		return nil, err
	}
	if err := c.schedules.Defaults(ctx); err != nil {
		return nil, fmt.Errorf("make the default schedules: %w", err)
	}
	password, err := c.auth.FirstAdmin(ctx, o.AdminPassword)
	if err != nil {
		return nil, err
	}
	if password != "" {
		_, err = fmt.Fprintf(o.Out, "The first administrator is admin, the password %s\nIt is not shown again.\n", password)
	}
	return c, err
}

// openNotify makes the room that tells people and other systems.
func (c *Console) openNotify(signals *lease.Signals, now func() time.Time) error {
	keeper, err := secret.Open(filepath.Join(c.options.DataDir, operations.SecretsKey), c.options.SecretsKey)
	if err != nil {
		return err
	}
	c.notify = notify.NewService(c.db, c.findings, c.fleet, signals, notify.Options{
		Kinds: kinds.All(), Guard: outgoing.New(c.options.OutgoingAllow), Keeper: keeper, PublicURL: c.options.PublicURL, Team: c.auth.TeamSelector,
	}, now)
	return nil
}

// told are integrations whose secrets cannot be opened, as people read it.
func told(unopened []notify.Unopened, err error) ([]string, error) {
	lines := make([]string, len(unopened))
	for i, u := range unopened {
		lines[i] = u.Name + ": " + u.Why.Error()
	}
	return lines, err
}

// warnOfSecrets tells at the start what else would show only once something is to be
// sent: that another key sealed secrets than this console has.
func (c *Console) warnOfSecrets(ctx context.Context) {
	unopened, err := told(c.notify.CheckSecrets(ctx))
	if err != nil {
		slog.WarnContext(ctx, "the secrets of integrations could not be looked at", "error", err)
	}
	if len(unopened) > 0 {
		slog.WarnContext(ctx, "secrets of integrations cannot be opened, so this console sends nothing to them; what to do: "+operations.SecretsAdvice, "integrations", unopened)
	}
}

func openDatabase(ctx context.Context, o Options) (*db.DB, error) {
	if o.DatabaseURL == "" {
		return db.Open(ctx, filepath.Join(o.DataDir, "patrol.db"))
	}
	return db.OpenPostgres(ctx, o.DatabaseURL)
}

// prepareDatabase brings its tables up to date, and finds the large objects.
func (c *Console) prepareDatabase(ctx context.Context) error {
	o := c.options
	err := c.db.Migrate(ctx, event.Migrations, audit.Migrations, auth.Migrations, blob.Migrations, feed.Migrations, fleet.Migrations, finding.Migrations, scan.Migrations, schedule.Migrations, operations.Migrations, notify.Migrations)
	if err != nil || o.DatabaseURL == "" {
		return err
	}
	address := o.BlobURL
	if address == "" {
		dir, err := filepath.Abs(filepath.Join(o.DataDir, "blobs"))
		if err != nil {
			return err
		}
		address = (&url.URL{Scheme: "file", Path: filepath.ToSlash(dir)}).String()
	}
	c.blobs, err = blob.Open(ctx, address, c.db)
	return err
}

// shared is where consoles hand each other the feed; none for a console by itself.
func (c *Console) shared() feed.Shared {
	if c.blobs == nil {
		return nil
	}
	return c.blobs
}

// Close ends the use of the data directory.
func (c *Console) Close() error {
	var err error
	if c.store != nil {
		err = c.store.Close()
	}
	if c.db != nil {
		err = errors.Join(err, c.db.Close())
	}
	return err
}

// Run serves until the context ends, then lets what is under way finish.
func Run(ctx context.Context, o Options) error {
	flush, err := trace.Start(ctx, o.OTLPEndpoint, o.Version)
	if err != nil {
		return err
	}
	c, err := Open(ctx, o)
	if err != nil {
		return err
	}
	c.warnOfSecrets(ctx)
	// The loops end with the server, whichever way it ends.
	ctx, cancel := context.WithCancel(ctx)
	var loops sync.WaitGroup
	for _, loop := range []func(context.Context){c.fleet.Run, c.feed.Run, c.scans.Run, c.schedules.Run, c.notify.Run, c.decisions, c.selectors, c.rematch, c.findings.KeepTrend, c.findings.KeepDates, c.relay.run, c.db.Keep, c.sweep, c.retain} {
		loops.Go(func() { loop(ctx) })
	}
	err = c.serve(ctx)
	cancel()
	loops.Wait()
	slog.Info("console ends")
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	if err := flush(last); err != nil {
		slog.Warn("the last traces were not sent", "error", err)
	}
	return errors.Join(err, c.Close())
}

// decisions ends decisions in time, and warns before.
func (c *Console) decisions(ctx context.Context) {
	c.findings.Run(ctx, c.signals, c.operations.WarnOfDecisions)
}

// selectors has decisions follow what becomes of nodes.
func (c *Console) selectors(ctx context.Context) { c.findings.Follow(ctx, c.signals) }

// rematch has the whole fleet be matched against what the feed has.
func (c *Console) rematch(ctx context.Context) { c.findings.KeepMatched(ctx, c.feed) }

// sweep removes old events, but for what other rooms remember something by.
func (c *Console) sweep(ctx context.Context) {
	c.events.Sweep(ctx, c.operations.KeepEvents, schedule.DefaultsCreated)
}
