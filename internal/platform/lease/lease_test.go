package lease_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"patrol/internal/platform/clocktest"
	"patrol/internal/platform/db"
	"patrol/internal/platform/db/dbtest"
	"patrol/internal/platform/lease"
)

var (
	noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	jobs = lease.Table{Name: "job", Open: "open"}
)

var migrations = db.Migrations{Room: "jobs", Files: fstest.MapFS{"migrations/0001_job.sql": {Data: []byte(`CREATE TABLE job (
	id TEXT PRIMARY KEY, kind TEXT NOT NULL, state TEXT NOT NULL, due_at BIGINT NOT NULL,
	lease_until BIGINT, lease_id TEXT, attempts BIGINT NOT NULL DEFAULT 0);`)}}}

// worker claims and ends jobs at the time of a clock.
type worker struct {
	t     *testing.T
	db    *db.DB
	clock *clocktest.Clock
}

func each(t *testing.T, suite func(t *testing.T, w worker)) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) { suite(t, worker{t, d, clocktest.At(noon)}) }, migrations)
}

func (w worker) add(n int, kind string) {
	w.t.Helper()
	dbtest.Write(w.t, w.db, func(tx *db.Tx) error {
		for i := range n {
			_, err := tx.ExecContext(w.t.Context(), `INSERT INTO job (id, kind, state, due_at) VALUES ($1, $2, 'open', $3)`,
				fmt.Sprintf("%s-%03d", kind, i), kind, noon.UnixMicro())
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func (w worker) claim(limit int) []lease.Claim {
	w.t.Helper()
	var claims []lease.Claim
	err := w.db.Write(w.t.Context(), func(tx *db.Tx) (err error) {
		claims, err = jobs.Claim(w.t.Context(), tx, w.clock.Now(), limit, "")
		return err
	})
	if err != nil {
		w.t.Error(err)
	}
	return claims
}

func (w worker) extend(c lease.Claim) error {
	return w.db.Write(w.t.Context(), func(tx *db.Tx) error { return jobs.Extend(w.t.Context(), tx, c, w.clock.Now()) })
}

func (w worker) finish(c lease.Claim) error {
	return w.db.Write(w.t.Context(), func(tx *db.Tx) error { return jobs.Finish(w.t.Context(), tx, c, "done") })
}

func (w worker) retry(c lease.Claim) error {
	return w.db.Write(w.t.Context(), func(tx *db.Tx) error { return jobs.Retry(w.t.Context(), tx, c, w.clock.Now()) })
}

// one claims the only job there is to claim.
func (w worker) one() lease.Claim {
	w.t.Helper()
	claims := w.claim(10)
	if len(claims) != 1 {
		w.t.Fatalf("claimed %v; want one job", claims)
	}
	return claims[0]
}

func TestEveryRowIsClaimedOnce(t *testing.T) {
	each(t, func(t *testing.T, w worker) {
		const rows = 500
		w.add(rows, "job")
		var mu sync.Mutex
		seen := make(map[string]int)
		var workers sync.WaitGroup
		for range 12 {
			workers.Go(func() {
				for {
					claims := w.claim(7)
					if len(claims) == 0 {
						return
					}
					mu.Lock()
					for _, c := range claims {
						seen[c.ID]++
					}
					mu.Unlock()
				}
			})
		}
		workers.Wait()
		for id, times := range seen {
			if times != 1 {
				t.Errorf("%s was claimed %d times", id, times)
			}
		}
		if len(seen) != rows {
			t.Errorf("%d rows were claimed; want %d", len(seen), rows)
		}
	})
}

func TestClaimTakesWhatIsDue(t *testing.T) {
	each(t, func(t *testing.T, w worker) {
		w.add(1, "other")
		w.add(1, "mine")
		var claims []lease.Claim
		dbtest.Write(t, w.db, func(tx *db.Tx) (err error) {
			claims, err = jobs.Claim(t.Context(), tx, noon, 10, "kind = $6", "mine")
			return err
		})
		if len(claims) != 1 || claims[0].ID != "mine-000" || claims[0].Attempt != 1 {
			t.Errorf("claimed %v; want the one that meets the condition, for the first time", claims)
		}
		w.clock.Set(noon.Add(-time.Second))
		if claims := w.claim(10); len(claims) != 0 {
			t.Errorf("claimed %v before it was due", claims)
		}
	})
}

func TestExpiredLeaseIsTakenOver(t *testing.T) {
	each(t, func(t *testing.T, w worker) {
		w.add(1, "job")
		killed := w.one()
		w.clock.Advance(lease.Duration - time.Microsecond)
		if claims := w.claim(1); len(claims) != 0 {
			t.Fatalf("claimed %v while the lease ran", claims)
		}
		w.clock.Advance(time.Microsecond)
		heir := w.one()
		if heir.ID != killed.ID || heir.LeaseID == killed.LeaseID || heir.Attempt != 2 {
			t.Errorf("took over %+v from %+v", heir, killed)
		}
		// The first worker was not dead, only slow.
		for name, end := range map[string]func(lease.Claim) error{"Extend": w.extend, "Finish": w.finish, "Retry": w.retry} {
			if err := end(killed); !errors.Is(err, lease.ErrLost) {
				t.Errorf("%s with the old lease = %v; want ErrLost", name, err)
			}
		}
		if err := w.finish(heir); err != nil {
			t.Errorf("Finish with the new lease = %v", err)
		}
		if err := w.finish(heir); !errors.Is(err, lease.ErrLost) {
			t.Errorf("Finish of a finished row = %v; want ErrLost", err)
		}
	})
}

func TestExtendKeepsTheLease(t *testing.T) {
	each(t, func(t *testing.T, w worker) {
		w.add(1, "job")
		claim := w.one()
		for range 3 {
			w.clock.Advance(lease.Duration - time.Second)
			if err := w.extend(claim); err != nil {
				t.Fatal(err)
			}
			if claims := w.claim(1); len(claims) != 0 {
				t.Fatalf("claimed %v, which is being worked on", claims)
			}
		}
	})
}

// A row that is cancelled is taken from whoever works on it.
func TestCancelledRowIsLost(t *testing.T) {
	each(t, func(t *testing.T, w worker) {
		w.add(1, "job")
		claim := w.one()
		dbtest.Write(t, w.db, func(tx *db.Tx) error {
			_, err := tx.ExecContext(t.Context(), `UPDATE job SET state = 'cancelled'`)
			return err
		})
		if err := w.extend(claim); !errors.Is(err, lease.ErrLost) {
			t.Errorf("Extend = %v; want ErrLost", err)
		}
		w.clock.Advance(lease.Duration)
		if claims := w.claim(1); len(claims) != 0 {
			t.Errorf("claimed %v, which was cancelled", claims)
		}
	})
}

func TestRetryComesBackLater(t *testing.T) {
	each(t, func(t *testing.T, w worker) {
		w.add(1, "job")
		for attempt := 1; attempt <= 4; attempt++ {
			claim := w.one()
			if claim.Attempt != attempt {
				t.Errorf("attempt %d; want %d", claim.Attempt, attempt)
			}
			if err := w.retry(claim); err != nil {
				t.Fatal(err)
			}
			due := time.UnixMicro(int64(dbtest.Count(t, w.db.Read(), `SELECT due_at FROM job`)))
			wait, least := due.Sub(w.clock.Now()), time.Second<<(attempt-1)/2
			if wait < least || wait > 3*least {
				t.Errorf("after attempt %d due in %v; want %v to %v", attempt, wait, least, 3*least)
			}
			if claims := w.claim(1); len(claims) != 0 {
				t.Errorf("claimed %v before it was due again", claims)
			}
			w.clock.Set(due)
		}
	})
}

// A transaction that is rolled back gives the row back.
func TestClaimIsPartOfItsTransaction(t *testing.T) {
	each(t, func(t *testing.T, w worker) {
		w.add(1, "job")
		_ = w.db.Write(t.Context(), func(tx *db.Tx) error {
			_, err := jobs.Claim(t.Context(), tx, noon, 1, "")
			return errors.Join(err, errors.New("the worker died"))
		})
		if claim := w.one(); claim.Attempt != 1 {
			t.Errorf("attempt %d; want 1", claim.Attempt)
		}
	})
}

func TestLeaseSurvivesReopening(t *testing.T) {
	path := filepath.Join(t.TempDir(), "patrol.db")
	w := worker{t, dbtest.OpenSQLite(t, path, migrations), clocktest.At(noon)}
	w.add(1, "job")
	claim := w.one()
	if err := w.db.Close(); err != nil {
		t.Fatal(err)
	}
	w.db = dbtest.OpenSQLite(t, path, migrations)
	if err := w.finish(claim); err != nil {
		t.Errorf("Finish after a restart = %v", err)
	}
}

func TestBackoff(t *testing.T) {
	for attempt, middle := range map[int]time.Duration{
		-1: time.Second, 0: time.Second, 1: time.Second, 2: 2 * time.Second, 5: 16 * time.Second,
		9: 256 * time.Second, 10: 5 * time.Minute, 1000: 5 * time.Minute,
	} {
		for range 200 {
			if wait := lease.Backoff(attempt); wait < middle/2 || wait >= middle*3/2 {
				t.Fatalf("Backoff(%d) = %v; want between half and one and a half times %v", attempt, wait, middle)
			}
		}
	}
}

// A clock that is set back leaves leases and due rows in the future: nobody waits for
// it to catch up.
func TestClockThatIsSetBack(t *testing.T) {
	each(t, func(t *testing.T, w worker) {
		w.add(2, "job")
		claimed := w.claim(2)
		if len(claimed) != 2 {
			t.Fatalf("claimed %v", claimed)
		}
		holder := claimed[0]
		if err := w.retry(claimed[1]); err != nil {
			t.Fatal(err)
		}
		w.clock.Advance(-time.Hour)
		if err := w.extend(holder); err != nil { // who is alive goes on
			t.Errorf("Extend = %v", err)
		}
		claim := func(table lease.Table) (claims []lease.Claim) {
			dbtest.Write(t, w.db, func(tx *db.Tx) (err error) {
				claims, err = table.Claim(t.Context(), tx, w.clock.Now(), 10, "")
				return err
			})
			return claims
		}
		if claims := claim(jobs); len(claims) != 0 {
			t.Errorf("claimed %v of a table whose rows may be due at any time", claims)
		}
		soon := lease.Table{Name: "job", Open: "open", Within: time.Minute}
		if claims := claim(soon); len(claims) != 1 || claims[0].ID == holder.ID {
			t.Errorf("claimed %v; want what was put off for a second", claims)
		}
		w.clock.Advance(-time.Hour) // and both holders are dead
		claims := claim(soon)
		if len(claims) != 2 {
			t.Errorf("claimed %v; want both", claims)
		}
		if err := w.finish(holder); !errors.Is(err, lease.ErrLost) {
			t.Errorf("Finish of who was thought dead = %v; want ErrLost", err)
		}
	})
}
