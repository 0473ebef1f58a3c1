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
	"path/filepath"
	"sync"
	"time"

	"patrol/internal/feed"
	"patrol/internal/finding"
	"patrol/internal/fleet"
	"patrol/internal/platform/auth"
	"patrol/internal/platform/db"
	"patrol/internal/platform/event"
	"patrol/internal/platform/lease"
	"patrol/internal/scan"
	"patrol/internal/schedule"
)

// Options are the settings of a console.
type Options struct {
	DataDir string
	// Listen is host:port. Any address but loopback is served over TLS.
	Listen string
	// TLSCert and TLSKey are PEM files; without them the certificate is
	// self-signed.
	TLSCert, TLSKey string
	FeedURL         string
	FeedInterval    time.Duration
	// Ecosystems are those to take from a URL; none means what the inventory holds.
	Ecosystems []string
	// Intelligence is where the sources beside OSV are published.
	Intelligence feed.Addresses
	// AdminPassword is that of the first administrator; one is made up and
	// printed if it is empty.
	AdminPassword string
	Version       string
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
	store     *feed.Store
	auth      *auth.Service
	fleet     *fleet.Service
	feed      *feed.Service
	findings  *finding.Service
	scans     *scan.Service
	schedules *schedule.Service
}

// Open opens the data directory and brings it up to date.
func Open(ctx context.Context, o Options) (_ *Console, err error) {
	c := &Console{options: o}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close())
		}
	}()
	if c.db, err = db.Open(ctx, filepath.Join(o.DataDir, "patrol.db")); err != nil {
		return nil, err
	}
	err = c.db.Migrate(ctx, event.Migrations, auth.Migrations, fleet.Migrations, finding.Migrations, scan.Migrations, schedule.Migrations)
	if err != nil {
		return nil, err
	}
	if c.store, err = feed.Open(filepath.Join(o.DataDir, "feed")); err != nil {
		return nil, err
	}
	now := time.Now
	signals := lease.NewSignals()
	c.auth = auth.NewService(c.db, now)
	c.fleet = fleet.NewService(c.db, c.auth, signals, now)
	c.findings = finding.NewService(c.db, c.fleet, now)
	c.feed = feed.NewService(c.store, c.db, feed.Settings{
		URL: o.FeedURL, Interval: o.FeedInterval, Ecosystems: o.Ecosystems, Installed: c.fleet.Ecosystems,
		Intelligence: o.Intelligence,
		Reassess:     func(ctx context.Context, known *feed.Intelligence) error { return c.findings.Reassess(ctx, known) },
	}, now)
	c.scans = scan.NewService(c.db, c.fleet, c.findings, c.feed, signals, now)
	c.schedules = schedule.NewService(c.db, c.scans, c.fleet, signals, now)
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
	c, err := Open(ctx, o)
	if err != nil {
		return err
	}
	// The loops end with the server, whichever way it ends.
	ctx, cancel := context.WithCancel(ctx)
	var loops sync.WaitGroup
	for _, loop := range []func(context.Context){c.feed.Run, c.scans.Run, c.schedules.Run, c.findings.Run} {
		loops.Go(func() { loop(ctx) })
	}
	err = c.serve(ctx)
	cancel()
	loops.Wait()
	slog.Info("console ends")
	return errors.Join(err, c.Close())
}
