package auth

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"patrol/internal/platform/access"
	"patrol/internal/platform/db"
	"patrol/internal/platform/problem"
)

// Whoever fails to sign in waits, and longer each time. The wait is for one name
// from one address: a stranger elsewhere cannot lock anybody out. It stands in the
// database, so that asking another console is no way around it.
const (
	freeFailures  = 5 // people mistype
	longestWait   = 15 * time.Minute
	failureMemory = 24 * time.Hour
)

// wait is how long the n-th failure in a row has to be waited for.
func wait(n int) time.Duration {
	if n < freeFailures {
		return 0
	}
	if n-freeFailures >= 10 { // beyond the longest, before the shift overflows
		return longestWait
	}
	return min(time.Second<<(n-freeFailures), longestWait)
}

// attempt is one try to sign in.
type attempt struct {
	name, address string
	failures      int
}

// begin counts a try as failed before it is looked at, so that many at once are
// not all looked at for free; a right password uncounts them. While there is a
// wait nothing is looked at, not even a right password.
func (s *Service) begin(ctx context.Context, username string) (attempt, error) {
	a := attempt{name: hashToken(username), address: network(access.Address(ctx))}
	now := s.now()
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		var failed, until time.Time
		row := tx.QueryRowContext(ctx, `SELECT failures, failed_at, wait_until FROM sign_in_failure WHERE name = $1 AND address = $2`, a.name, a.address)
		before, err := db.One(row, func(scan db.Scan) (n int, err error) {
			return n, scan(&n, db.Time{Time: &failed}, db.Time{Time: &until})
		})
		if err != nil && err != db.ErrNotFound {
			return fmt.Errorf("count sign-ins that failed: %w", err)
		}
		if now.Before(until) {
			return problem.TooSoon(until.Sub(now), "too many sign-ins failed: wait %s, then try again", until.Sub(now).Round(time.Second))
		}
		if now.Sub(failed) >= failureMemory {
			before = 0
		}
		a.failures = before + 1
		_, err = tx.ExecContext(ctx, `INSERT INTO sign_in_failure (name, address, failures, failed_at, wait_until) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (name, address) DO UPDATE SET failures = excluded.failures, failed_at = excluded.failed_at, wait_until = excluded.wait_until`,
			a.name, a.address, a.failures, now.UnixMicro(), now.Add(wait(a.failures)).UnixMicro())
		return err
	})
	return a, err
}

// forget ends the count of who proved to be themselves, and sweeps up those that
// are too old to matter.
func (s *Service) forget(ctx context.Context, tx *db.Tx, a attempt) error {
	_, err := tx.ExecContext(ctx, `DELETE FROM sign_in_failure WHERE (name = $1 AND address = $2) OR failed_at <= $3`,
		a.name, a.address, s.now().Add(-failureMemory).UnixMicro())
	if err != nil {
		return fmt.Errorf("forget sign-ins that failed: %w", err)
	}
	return nil
}

// network is what counts as one place: an IPv4 address, or the 64 bits of an IPv6
// network, of which one household has 2⁶⁴ addresses.
func network(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil || ip.Is4() {
		return address
	}
	prefix, err := ip.WithZone("").Prefix(64)
	if err != nil {
		return address
	}
	return prefix.String()
}
