//go:build linux

package db_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"patrol/internal/platform/db"
	"patrol/internal/platform/db/dbtest"
	"patrol/internal/platform/event"
)

func TestFullDisk(t *testing.T) {
	dir := dbtest.SmallDisk(t, 4)
	d := dbtest.OpenSQLite(t, filepath.Join(dir, "patrol.db"), event.Migrations)
	appendLarge := func() error {
		return d.Write(t.Context(), func(tx *db.Tx) error {
			return event.Append(t.Context(), tx, time.Now(), "test", "", strings.Repeat("x", 100<<10))
		})
	}
	if err := appendLarge(); err != nil {
		t.Fatal(err)
	}
	ballast := dbtest.FillDisk(t, dir)
	written := 1
	var err error
	for err == nil { // there is some room in files that SQLite has
		if err = appendLarge(); err == nil {
			written++
		}
	}
	if !errors.Is(err, db.ErrReadOnly) || d.ReadOnly() == nil {
		t.Fatalf("a write on a full disk: %v", err)
	}
	// From now on nobody tries, but the probe; and reading goes on.
	if err := d.Write(t.Context(), func(*db.Tx) error { t.Error("tried"); return nil }); !errors.Is(err, db.ErrReadOnly) {
		t.Errorf("Write = %v", err)
	}
	if err := d.Probe(t.Context()); !errors.Is(err, db.ErrReadOnly) || d.ReadOnly() == nil {
		t.Errorf("Probe = %v", err)
	}
	if n := dbtest.Count(t, d.Read(), `SELECT count(*) FROM event`); n != written {
		t.Errorf("%d events; %d were written", n, written)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	// By itself.
	ctx, cancel := context.WithCancel(t.Context())
	kept := make(chan struct{})
	go func() { defer close(kept); d.Keep(ctx) }()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(time.Minute); d.ReadOnly() != nil; {
		select {
		case <-deadline:
			t.Fatal("the console stays read-only")
		case <-tick.C:
		}
	}
	cancel()
	<-kept
	if err := appendLarge(); err != nil {
		t.Errorf("after there was room again: %v", err)
	}
	if n := dbtest.Count(t, d.Read(), `SELECT count(*) FROM event`); n != written+1 {
		t.Errorf("%d events; %d were written", n, written+1)
	}
	if n := dbtest.Count(t, d.Read(), `SELECT count(*) FROM probe`); n != 0 {
		t.Errorf("the probe left %d rows", n)
	}
}

func TestProbeOnBoth(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		if err := d.Probe(t.Context()); err != nil || d.ReadOnly() != nil {
			t.Errorf("Probe = %v, ReadOnly = %v", err, d.ReadOnly())
		}
		if n := dbtest.Count(t, d.Read(), `SELECT count(*) FROM probe`); n != 0 {
			t.Errorf("the probe left %d rows", n)
		}
	})
}

// PostgreSQL says itself that its disk is full.
func TestFullDiskOfPostgreSQL(t *testing.T) {
	d := dbtest.OpenPostgres(t, dbtest.PostgresURL(t), event.Migrations)
	err := d.Write(t.Context(), func(tx *db.Tx) error {
		_, err := tx.ExecContext(t.Context(), `DO $$ BEGIN RAISE EXCEPTION 'no space left on device' USING ERRCODE = '53100'; END $$`)
		return err
	})
	if !errors.Is(err, db.ErrReadOnly) {
		t.Errorf("Write = %v", err)
	}
	if err := d.Probe(t.Context()); err != nil || d.ReadOnly() != nil {
		t.Errorf("Probe = %v, ReadOnly = %v", err, d.ReadOnly())
	}
}
