package schedule

import (
	"context"
	"fmt"
	"time"

	"patrol/internal/platform/db"
)

// waiting is a node that is due.
type waiting struct {
	id      string
	gone    bool
	attempt int
	failed  string // the scan before this attempt; empty for the first
}

// turn is what became of nodes whose turn came.
type turn struct {
	run     string
	begun   []string // are scans from now on
	retried int      // how many of them were scanned before
	skipped [][2]string
	done    []string // wait no longer: the scans that failed stand
	stand   []string
}

func (t *turn) begin(n waiting) {
	t.begun = append(t.begun, n.id)
	if n.failed != "" {
		t.retried++
	}
}

// skip leaves a node out; one that was scanned before has failed.
func (t *turn) skip(n waiting, reason string) {
	if n.failed == "" {
		t.skipped = append(t.skipped, [2]string{n.id, reason})
		return
	}
	t.done, t.stand = append(t.done, n.id), append(t.stand, n.failed)
}

// dueNodes are the nodes of run $1 that were due by $2, in their order, up to $3.
const dueNodes = `SELECT w.node_id, CASE WHEN n.present = 1 AND n.retired_at IS NULL THEN 0 ELSE 1 END, w.attempt, w.failed_scan
	FROM run_node AS w JOIN node AS n ON n.id = w.node_id
	WHERE w.run_id = $1 AND w.state = 'waiting' AND w.due_at <= $2 ORDER BY w.due_at, w.node_id LIMIT $3`

// valueOf is the value of the label $4 on a node n: its own, else its host's.
const valueOf = `COALESCE((SELECT value FROM node_label WHERE node_id = n.id AND key = $4),
	(SELECT value FROM node_label WHERE node_id = n.host_id AND key = $4), '')`

// holding holds for scans s that go on and take room at $2 among those that may: not
// those that no agent took within two minutes, because it is away, nor those that it
// has collected for an hour, because it is stuck. They block nobody until the run's
// time is up, and are welcome if they end before.
const holding = `s.` + unfinished + ` AND (s.state = 'matching' OR s.state = 'queued' AND s.queued_at > CAST($2 AS BIGINT) - 120000000
	OR s.state = 'collecting' AND s.started_at > CAST($2 AS BIGINT) - 3600000000)`

// dueByLabel are the same, of which each value of the label $4 has $5 at most,
// together with the scans that go on.
const dueByLabel = `SELECT q.node_id, q.gone, q.attempt, q.failed_scan FROM (
		SELECT d.node_id, d.due_at, d.gone, d.attempt, d.failed_scan, d.value, row_number() OVER (PARTITION BY d.value ORDER BY d.due_at, d.node_id) AS place FROM (
			SELECT w.node_id, w.due_at, w.attempt, w.failed_scan, CASE WHEN n.present = 1 AND n.retired_at IS NULL THEN 0 ELSE 1 END AS gone, ` + valueOf + ` AS value
			FROM run_node AS w JOIN node AS n ON n.id = w.node_id WHERE w.run_id = $1 AND w.state = 'waiting' AND w.due_at <= $2) AS d) AS q
	LEFT JOIN (SELECT value, count(*) AS amount FROM (
			SELECT ` + valueOf + ` AS value FROM scan AS s JOIN node AS n ON n.id = s.node_id WHERE s.run_id = $1 AND ` + holding + `) AS u
		GROUP BY value) AS b ON b.value = q.value
	WHERE q.place + COALESCE(b.amount, 0) <= $5 ORDER BY q.due_at, q.node_id LIMIT $3`

func (s *Service) due(ctx context.Context, tx *db.Tx, r going, now time.Time, limit int) ([]waiting, error) {
	query, args := dueNodes, []any{r.id, now.UnixMicro(), limit}
	if r.labelKey != "" {
		query, args = dueByLabel, append(args, r.labelKey, r.labelLimit)
	}
	rows, err := tx.QueryContext(ctx, query, args...)
	nodes, err := db.All(rows, err, func(scan db.Scan) (w waiting, err error) {
		var gone int
		err = scan(&w.id, &gone, &w.attempt, &w.failed)
		w.gone = gone == 1
		return w, err
	})
	if err != nil {
		return nil, fmt.Errorf("find the due nodes of run %s: %w", r.id, err)
	}
	return nodes, nil
}

// note writes it.
func (t *turn) note(ctx context.Context, tx *db.Tx) error {
	left, err := db.Column(append(t.done, t.begun...))
	if err != nil {
		return err
	}
	skipped, err := db.ToJSON(append([][2]string{}, t.skipped...)) // [], never null
	if err != nil {
		return err
	}
	for _, change := range []struct {
		query string
		args  []any
	}{
		{`DELETE FROM run_node WHERE run_id = $1 AND node_id ` + db.Among(`$2`), []any{t.run, left}},
		{`UPDATE run_node SET state = 'skipped', reason = j.value->>1 FROM json_each($2) AS j WHERE run_id = $1 AND node_id = j.value->>0`, []any{t.run, skipped}},
		{`UPDATE run SET started = started + $2, retried = retried + $3 WHERE id = $1`, []any{t.run, len(t.begun), t.retried}},
	} {
		if _, err := tx.ExecContext(ctx, change.query, change.args...); err != nil {
			return fmt.Errorf("note the nodes of run %s: %w", t.run, err)
		}
	}
	return nil
}
