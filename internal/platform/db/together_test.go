package db_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"patrol/internal/platform/db"
	"patrol/internal/platform/db/dbtest"
)

// slow is a statement that takes long, writes nothing, and ends by itself: to
// interrupt SQLite while no statement runs yet is in vain (sqlite3_interrupt).
const slow = `INSERT INTO item (name)
	WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000)
	SELECT i FROM n WHERE i < 0`

// Of transactions that are committed together, each that goes well is done, once,
// whether another fails, panics, or is interrupted.
func TestTogether(t *testing.T) {
	d := dbtest.OpenSQLite(t, filepath.Join(t.TempDir(), "patrol.db"))
	err := d.Write(t.Context(), func(tx *db.Tx) error {
		_, err := tx.ExecContext(t.Context(), `CREATE TABLE item (name TEXT PRIMARY KEY)`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	errWrong := errors.New("wrong")
	var writers sync.WaitGroup
	var mutex sync.Mutex
	called, well := map[string]int{}, map[string]bool{}
	const all = 400
	for i := range all {
		writers.Go(func() {
			name := fmt.Sprint("item ", i)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			kind := i % 8
			defer func() {
				if recovered := recover(); (recovered != nil) != (kind == 2) {
					t.Errorf("%s: panic %v", name, recovered)
				}
			}()
			err := d.Write(ctx, func(tx *db.Tx) error {
				tx.AfterCommit(func() {
					mutex.Lock()
					defer mutex.Unlock()
					called[name]++
				})
				if _, err := tx.ExecContext(ctx, `INSERT INTO item (name) VALUES ($1)`, name); err != nil {
					return err
				}
				switch kind {
				case 1:
					return errWrong
				case 2:
					panic("in a transaction")
				case 3:
					cancel()
					_, err := tx.ExecContext(ctx, slow)
					return err
				case 4:
					go cancel() // while the statement runs, or a little before
					_, err := tx.ExecContext(ctx, slow)
					return err
				}
				return nil
			})
			mutex.Lock()
			defer mutex.Unlock()
			well[name] = err == nil
			if want := kind == 1 || kind == 3; (err != nil) != want && kind != 4 {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	writers.Wait()
	rows, err := d.Read().QueryContext(t.Context(), `SELECT name FROM item`)
	names, err := db.All(rows, err, db.Value[string])
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]bool{}
	for _, name := range names {
		have[name] = true
	}
	for i := range all {
		name := fmt.Sprint("item ", i)
		if have[name] != well[name] || called[name] != db.Bit(well[name]) {
			t.Errorf("%s is there: %v, and was told %d times; want %v", name, have[name], called[name], well[name])
		}
	}
}

// Who gives up waiting for the writer leaves it to the others.
func TestTogetherGivenUp(t *testing.T) {
	d := dbtest.OpenSQLite(t, filepath.Join(t.TempDir(), "patrol.db"))
	held, release := make(chan struct{}), make(chan struct{})
	var writers sync.WaitGroup
	writers.Go(func() {
		err := d.Write(t.Context(), func(*db.Tx) error { close(held); <-release; return nil })
		if err != nil {
			t.Error(err)
		}
	})
	<-held
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 10 {
		err := d.Write(ctx, func(*db.Tx) error { t.Error("ran"); return nil })
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		writers.Go(func() {
			if err := d.Write(t.Context(), func(*db.Tx) error { return nil }); err != nil {
				t.Error(err)
			}
		})
	}
	close(release)
	writers.Wait()
}
