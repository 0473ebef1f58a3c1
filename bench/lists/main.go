// Command lists measures the questions that people ask of a large fleet: it makes
// one (internal/simulate), asks the API's lists over HTTP with varied parameters
// and pages, and prints how long they took and how large the process is. The
// database of a console is SQLite, and PostgreSQL where a server is given
// (go run ./internal/platform/db/dbtest/serve go run ./bench/lists).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"patrol/internal/finding"
	"patrol/internal/fleet"
	"patrol/internal/platform/audit"
	"patrol/internal/platform/auth"
	"patrol/internal/platform/db"
	"patrol/internal/platform/db/dbtest"
	"patrol/internal/platform/event"
	"patrol/internal/scan"
	"patrol/internal/schedule"
	"patrol/internal/simulate"
)

// options are what is measured.
type options struct {
	nodes, rounds, clients int
	inventories            []int
	fill                   string // the database to make a fleet in, in a process of its own
	keep                   string
}

func main() {
	var o options
	var inventories string
	flag.IntVar(&o.nodes, "nodes", 10_000, "how many nodes")
	flag.StringVar(&inventories, "inventories", "200,10000", "how many distinct inventories, one fleet for each")
	flag.IntVar(&o.rounds, "rounds", 300, "how often each list is asked")
	flag.IntVar(&o.clients, "clients", 1, "how many ask at once")
	flag.StringVar(&o.fill, "fill", "", "only make a fleet in this new SQLite file or empty PostgreSQL database")
	flag.StringVar(&o.keep, "keep", "", "directory to keep the SQLite files in, and to find those of before")
	flag.Parse()
	for text := range strings.SplitSeq(inventories, ",") {
		n, err := strconv.Atoi(text)
		if err != nil {
			fmt.Fprintln(os.Stderr, "lists: -inventories:", err)
			os.Exit(1)
		}
		o.inventories = append(o.inventories, n)
	}
	if err := run(context.Background(), os.Stdout, o); err != nil {
		fmt.Fprintln(os.Stderr, "lists:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, o options) error {
	if o.fill != "" {
		return fill(ctx, o)
	}
	dir := o.keep
	if dir == "" {
		var err error
		if dir, err = os.MkdirTemp("", "patrol-lists-"); err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(dir) }()
	}
	slow := false
	for _, inventories := range o.inventories {
		places := []string{filepath.Join(dir, fmt.Sprintf("fleet-%d-%d.db", o.nodes, inventories))}
		if server := os.Getenv(dbtest.Variable); server != "" {
			place, err := newDatabase(ctx, server, fmt.Sprintf("fleet%d", inventories))
			if err != nil {
				return err
			}
			places = append(places, place)
		} else {
			fmt.Fprintf(out, "PostgreSQL is not measured: no %s\n", dbtest.Variable)
		}
		for _, place := range places {
			tooSlow, err := measureFleet(ctx, out, o, place, inventories)
			if err != nil {
				return err
			}
			slow = slow || tooSlow
		}
	}
	if slow {
		return errors.New("a bound does not hold")
	}
	return nil
}

// measureFleet fills a database in another process, whose memory is not this one's,
// and asks.
func measureFleet(ctx context.Context, out io.Writer, o options, place string, inventories int) (slow bool, err error) {
	began := time.Now()
	if _, err := os.Stat(place); err != nil {
		self, err := os.Executable()
		if err != nil {
			return false, err
		}
		maker := exec.CommandContext(ctx, self, "-fill", place, "-nodes", fmt.Sprint(o.nodes), "-inventories", fmt.Sprint(inventories))
		maker.Stderr = os.Stderr
		if err := maker.Run(); err != nil {
			return false, fmt.Errorf("fill %s: %w", place, err)
		}
	}
	d, err := open(ctx, place)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	var occurrences int
	if err := d.Read().QueryRowContext(ctx, `SELECT count(*) FROM occurrence`).Scan(&occurrences); err != nil {
		return false, err
	}
	fmt.Fprintf(out, "%s: %d nodes, %d inventories, %d occurrences, made in %v\n", d.Dialect(), o.nodes, inventories, occurrences, time.Since(began).Round(time.Second))
	return ask(ctx, out, o, d)
}

// rooms are those whose tables a fleet fills.
var rooms = []db.Migrations{event.Migrations, audit.Migrations, auth.Migrations, fleet.Migrations, finding.Migrations, scan.Migrations, schedule.Migrations}

func open(ctx context.Context, place string) (*db.DB, error) {
	if db.IsURL(place) {
		return db.OpenPostgres(ctx, place)
	}
	return db.Open(ctx, place)
}

func fill(ctx context.Context, o options) error {
	d, err := open(ctx, o.fill)
	if err != nil {
		return err
	}
	err = d.Migrate(ctx, rooms...)
	if err == nil {
		err = simulate.Fleet{Nodes: o.nodes, Inventories: o.inventories[0], Seed: 1, Now: time.Now()}.Fill(ctx, d)
	}
	return errors.Join(err, d.Close())
}

// newDatabase makes an empty one on a server.
func newDatabase(ctx context.Context, server, name string) (string, error) {
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close(ctx) }()
	if _, err := conn.Exec(ctx, `CREATE DATABASE `+name); err != nil {
		return "", err
	}
	return strings.Replace(server, "/postgres?", "/"+name+"?", 1), nil
}
