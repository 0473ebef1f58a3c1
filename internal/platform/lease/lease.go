// Package lease runs background work without a table of jobs: the domain row is
// the job.
//
// A row of a leased table is open work while it is in the table's open state. A
// worker claims it for a while (the lease), extends the lease while it works,
// and finishes in a transaction of its own only if the lease is still its own:
// the lease id fences off a worker that was thought dead. A killed worker's rows
// are taken over when their leases end. A row that failed comes back later, and
// gives up into a state that people can see.
//
// A leased table has the columns id, state, due_at, lease_until, lease_id and
// attempts; due_at and lease_until are microseconds.
package lease

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"

	"patrol/internal/platform/db"
)

// Duration is how long a claim lasts unless it is extended.
const Duration = 15 * time.Second

// tolerance is by how much the clocks of processes may differ.
const tolerance = time.Minute

// ErrLost says that the row is no longer the caller's: its lease ended and
// another worker has it, or it was finished or cancelled meanwhile.
var ErrLost = errors.New("the lease is lost")

// Table is a leased table.
type Table struct {
	Name string
	// Open is the state in which a row is work to be done.
	Open string
	// Within is the longest that a row is put off when it is written: one that is due
	// later was written before the clock was set back, and is due. Zero is for tables
	// whose rows may be due at any time.
	Within time.Duration
}

// Claim is a row that the caller may work on until the lease ends.
type Claim struct {
	ID      string
	LeaseID string
	// Attempt counts the claims of this row, this one included.
	Attempt int
}

// Claim leases up to limit rows that are due and match a condition ("" for any)
// over the table's columns, whose parameters begin at $6.
func (t Table) Claim(ctx context.Context, tx *db.Tx, now time.Time, limit int, condition string, args ...any) ([]Claim, error) {
	// No lease ends later than one that is taken now, unless the clock was set back
	// since; whoever holds that one finds it lost, if it was taken from him.
	due := fmt.Sprintf(`state = $1 AND (lease_until IS NULL OR lease_until <= $2 OR lease_until > $2 + %d)`, (Duration + tolerance).Microseconds())
	if t.Within > 0 {
		due += fmt.Sprintf(` AND (due_at <= $2 OR due_at > $2 + %d)`, (t.Within + tolerance).Microseconds())
	} else {
		due += ` AND due_at <= $2`
	}
	if condition != "" {
		due += " AND " + condition
	}
	// The predicate stands twice: on PostgreSQL the inner one alone would let
	// several workers claim one row.
	query := fmt.Sprintf(`UPDATE %[1]s SET lease_until = $3, lease_id = $4, attempts = attempts + 1
		WHERE id IN (SELECT id FROM %[1]s WHERE %[2]s ORDER BY due_at, id LIMIT $5) AND %[2]s
		RETURNING id, lease_id, attempts`, t.Name, due)
	params := append([]any{t.Open, now.UnixMicro(), now.Add(Duration).UnixMicro(), uuid.NewString(), limit}, args...)
	rows, err := tx.QueryContext(ctx, query, params...)
	claims, err := db.All(rows, err, func(scan db.Scan) (c Claim, err error) {
		return c, scan(&c.ID, &c.LeaseID, &c.Attempt)
	})
	if err != nil {
		return nil, fmt.Errorf("claim from %s: %w", t.Name, err)
	}
	return claims, nil
}

// Extend prolongs a lease from now on; ErrLost if it is no longer the caller's.
func (t Table) Extend(ctx context.Context, tx *db.Tx, c Claim, now time.Time) error {
	return t.set(ctx, tx, c, "lease_until = $4", now.Add(Duration).UnixMicro())
}

// Finish moves the row into another state; ErrLost if the lease is no longer
// the caller's.
func (t Table) Finish(ctx context.Context, tx *db.Tx, c Claim, state string) error {
	return t.set(ctx, tx, c, "state = $4, lease_until = NULL", state)
}

// Retry gives the row back, due after a backoff that grows with its attempts.
func (t Table) Retry(ctx context.Context, tx *db.Tx, c Claim, now time.Time) error {
	return t.set(ctx, tx, c, "lease_until = NULL, due_at = $4", now.Add(Backoff(c.Attempt)).UnixMicro())
}

// Postpone gives the row back, due at a moment, as if it had not been claimed.
func (t Table) Postpone(ctx context.Context, tx *db.Tx, c Claim, until time.Time) error {
	return t.set(ctx, tx, c, "lease_until = NULL, attempts = attempts - 1, due_at = $4", until.UnixMicro())
}

func (t Table) set(ctx context.Context, tx *db.Tx, c Claim, change string, value any) error {
	query := fmt.Sprintf(`UPDATE %s SET %s WHERE id = $1 AND lease_id = $2 AND state = $3`, t.Name, change)
	result, err := tx.ExecContext(ctx, query, c.ID, c.LeaseID, t.Open, value)
	if err != nil {
		return fmt.Errorf("update lease of %s %s: %w", t.Name, c.ID, err)
	}
	if n, err := result.RowsAffected(); err != nil || n == 1 {
		return err
	}
	return ErrLost
}

// Backoff is how long to wait before the next attempt: a second, doubled with
// each one up to five minutes, and spread by half either way so that many who
// failed together do not come back together.
func Backoff(attempt int) time.Duration {
	wait := min(time.Second<<min(max(attempt-1, 0), 16), 5*time.Minute)
	return wait/2 + rand.N(wait)
}
