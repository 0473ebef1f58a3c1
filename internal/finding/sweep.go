package finding

import (
	"context"
	"fmt"
	"time"

	"patrol/internal/platform/db"
)

// How much one transaction removes: others wait for it.
const (
	sweepOccurrences = 500
	sweepResults     = 20 // with some thousand findings in each
	sweepFindings    = 2000
	sweepMatches     = 5000
	sweepRematches   = 500
)

// SweepOccurrences removes occurrences that were resolved before a moment, and
// returns how many. What is open stays, and so do the numbers: they count what is
// open, and when a vulnerability was first seen is remembered apart.
func (s *Service) SweepOccurrences(ctx context.Context, moment time.Time) (removed int64, err error) {
	for {
		n, err := s.sweep(ctx, `DELETE FROM occurrence WHERE id IN (SELECT id FROM occurrence
			WHERE resolved_at < $1 ORDER BY resolved_at, id LIMIT $2) AND state = '`+Resolved+`'`, moment.UnixMicro(), sweepOccurrences)
		removed += n
		if err != nil || n < sweepOccurrences {
			return removed, err
		}
	}
}

// SweepRematches removes re-matches that ended before a moment, and returns how many.
func (s *Service) SweepRematches(ctx context.Context, moment time.Time) (removed int64, err error) {
	removed, err = s.db.SweepOldest(ctx, `SELECT id FROM rematch WHERE finished_at < $1 AND state <> 'running' ORDER BY finished_at, id`,
		[]string{`rematch WHERE id`}, sweepRematches, moment.UnixMicro())
	if err != nil {
		return removed, fmt.Errorf("remove old re-matches: %w", err)
	}
	return removed, nil
}

// sweep runs one statement in a transaction.
func (s *Service) sweep(ctx context.Context, statement string, args ...any) (removed int64, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		result, err := tx.ExecContext(ctx, statement, args...)
		if err != nil {
			return fmt.Errorf("remove what is old: %w", err)
		}
		removed, err = result.RowsAffected()
		return err
	})
	return removed, err
}

// unmoving holds while no re-match goes on, whose results no node holds yet. One that
// failed has had the nodes move that could; what it needs more it makes again.
const unmoving = `NOT EXISTS (SELECT 1 FROM rematch WHERE state = 'running')`

// needless holds for a result r that says what is wrong with no node now, and what
// no scan found. While a scan is being matched, what its inventory gave is not yet
// the scan's.
const needless = `NOT EXISTS (SELECT 1 FROM node_result AS h WHERE h.result_id = r.id) AND NOT EXISTS (SELECT 1 FROM scan AS s WHERE s.result_id = r.id)
	AND NOT EXISTS (SELECT 1 FROM scan AS s JOIN sbom AS b ON b.id = s.sbom_id JOIN result_of AS m ON m.inventory_id = b.inventory_id
		WHERE s.state = 'matching' AND m.result_id = r.id) AND ` + unmoving

// SweepResults removes results that nothing needs, whenever they came to be, and
// findings that stand in none; it returns how many results.
func (s *Service) SweepResults(ctx context.Context, _ time.Time) (removed int64, err error) {
	removed, err = s.db.Sweep(ctx, db.Sweep{
		From: `result AS r`, ID: `r.id`, Needless: needless, Batch: sweepResults,
		Delete: []string{`result_finding WHERE result_id`, `result_of WHERE result_id`, `result WHERE id`},
	})
	if err != nil {
		return removed, err
	}
	_, err = s.db.Sweep(ctx, db.Sweep{From: `finding AS f`, ID: `f.id`, Needless: standsNowhere, Batch: sweepFindings, Delete: []string{`finding WHERE id`}})
	return removed, err
}

// standsNowhere holds for a finding f that stands in no result. Those of a package
// whose occurrences are kept stay: they tell what is wrong with what could not be
// looked at since, and how severe it was.
const standsNowhere = `f.results = 0 AND NOT EXISTS (SELECT 1 FROM result_finding AS r WHERE r.finding_id = f.id)
	AND NOT EXISTS (SELECT 1 FROM occurrence AS o WHERE o.vulnerability_id = f.vulnerability_id AND o.ecosystem = f.ecosystem AND o.package = f.package)
	AND ` + unmoving
