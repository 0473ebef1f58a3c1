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

// slow is a statement that ends only by being interrupted.
const slow = `INSERT INTO item (name) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n WHERE i < 0`

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
	called := map[string]int{}
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
			if want := kind == 1 || kind == 3 || kind == 4; (err != nil) != want {
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
		name, want := fmt.Sprint("item ", i), i%8 == 0 || i%8 > 4
		if have[name] != want || called[name] != map[bool]int{true: 1}[want] {
			t.Errorf("%s is there: %v, and was told %d times; want %v", name, have[name], called[name], want)
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
