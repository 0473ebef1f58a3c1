package notify

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"patrol/internal/platform/db"
	"patrol/internal/platform/problem"
	"patrol/internal/risk"
)

// digests tells what was gathered, of every rule for which it is time, and returns
// when it next is for one; zero if for none.
func (s *Service) digests(ctx context.Context) (next time.Time, err error) {
	rows, err := s.db.Read().QueryContext(ctx, `SELECT `+ruleColumns+` FROM rule AS r WHERE r.enabled = 1 AND (r.digest_at <= $1 OR r.overflow_at <= $1) ORDER BY r.id`, s.now().UnixMicro())
	due, err := db.All(rows, err, scanRule)
	if err != nil {
		return next, fmt.Errorf("find digests that are due: %w", err)
	}
	var failed error // one keeps no other waiting
	unusable := []string{}
	for _, r := range due {
		err := s.digest(ctx, r)
		var cannot *problem.Error
		if errors.As(err, &cannot) {
			unusable = append(unusable, r.ID)
			err = s.stands(ctx, r, cannot)
		}
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("digest of rule %q: %w", r.Name, err))
		}
	}
	if failed != nil {
		return next, failed
	}
	list, err := db.Column(unusable)
	if err != nil {
		return next, err
	}
	err = s.db.Read().QueryRowContext(ctx, `SELECT min(at) FROM (SELECT id, digest_at AS at FROM rule WHERE enabled = 1
		UNION ALL SELECT id, overflow_at FROM rule WHERE enabled = 1) AS due WHERE NOT (id `+db.Among(`$1`)+`)`, list).Scan(db.Time{Time: &next})
	return next, err
}

func (s *Service) digest(ctx context.Context, r Rule) error {
	a, err := s.asker(ctx, s.db.Read(), r, s.lookup(s.db.Read()))
	if err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		w, err := s.writer(ctx, tx, a)
		if errors.Is(err, sql.ErrNoRows) {
			return nil // the rule was deleted
		}
		if err != nil {
			return err
		}
		if !w.overflow.IsZero() && !w.overflow.After(w.now) {
			if err := w.sum(ctx, true, w.overflow); err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, `UPDATE rule SET overflow_at = NULL WHERE id = $1`, r.ID); err != nil {
				return err
			}
		}
		// Read where it is written: another console may have been first, or the rule was
		// edited.
		var at time.Time
		row := tx.QueryRowContext(ctx, `SELECT CASE WHEN enabled = 1 AND definition = $2 THEN digest_at END FROM rule WHERE id = $1`, r.ID, r.definition)
		if err := row.Scan(db.Time{Time: &at}); err != nil {
			return err
		}
		if at.IsZero() || at.After(w.now) {
			return nil
		}
		if err := w.sum(ctx, false, at); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE rule SET digest_at = $2 WHERE id = $1`, r.ID, db.Micros(a.nextDigest(w.now)))
		return err
	})
}

// most is how many gathered matters one digest reads: their number is counted, and
// what is beyond it is not named.
const most = 2000

// sum tells what was gathered in one notification.
func (w *writer) sum(ctx context.Context, overflow bool, at time.Time) error {
	var count int
	const of = ` FROM gathered WHERE rule_id = $1 AND overflow = $2`
	if err := w.tx.QueryRowContext(ctx, `SELECT count(*)`+of, w.id, db.Bit(overflow)).Scan(&count); err != nil {
		return err
	}
	if count == 0 && (overflow || !w.EvenIfEmpty) {
		return nil
	}
	rows, err := w.tx.QueryContext(ctx, `SELECT matter`+of+` ORDER BY rank DESC, id LIMIT $3`, w.id, db.Bit(overflow), most)
	matters, err := db.All(rows, err, func(scan db.Scan) (g gathered, err error) { return g, scan(db.JSON{Into: &g}) })
	if err != nil {
		return err
	}
	if _, err := w.tx.ExecContext(ctx, `DELETE`+of, w.id, db.Bit(overflow)); err != nil {
		return err
	}
	name := "digest"
	if overflow {
		name = "overflow"
	}
	n := w.sumUp(name, at, matters, count)
	if !overflow && count == 0 {
		if err := w.alive(ctx, &n); err != nil {
			return err
		}
	}
	if err := w.reword(&n); err != nil {
		_, err := w.tx.ExecContext(ctx, `UPDATE rule SET error = $2, error_at = $3 WHERE id = $1`, w.id, clean(err.Error()), w.now.UnixMicro())
		if err != nil {
			return err
		}
	}
	return w.notify(ctx, n, fmt.Sprintf("%s/%s/%d", w.id, name, at.UnixMicro()), w.to)
}

// sumUp makes one notification of many matters, the worst first.
func (w *writer) sumUp(name string, at time.Time, matters []gathered, count int) Notification {
	slices.SortStableFunc(matters, func(a, b gathered) int { return rankOf(b.Severity) - rankOf(a.Severity) })
	n := Notification{
		Key: fmt.Sprintf("%s/%s/%d", w.id, name, at.UnixMicro()), Action: Told, Rule: w.Name, Type: name, Severity: "info", Time: w.now,
		Facts: []Fact{}, Findings: []Finding{}, URL: w.service.publicURL,
	}
	var lines []string
	named := 0
	nodes := make(map[string]bool)
	for _, g := range matters {
		switch {
		case slices.Contains(lines, g.Title):
			named++
		case len(lines) < 2*listed:
			lines = append(lines, g.Title)
			named++
		}
		n.Total += g.Total
		for _, f := range g.Findings {
			nodes[f.Node.ID] = true
			if len(n.Findings) < MostFindings {
				n.Findings = append(n.Findings, f)
			}
		}
	}
	if rest := count - named; rest > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", rest))
	}
	n.Nodes, n.Text = len(nodes), strings.Join(lines, "\n")
	if len(matters) > 0 {
		n.Severity = matters[0].Severity
	}
	n.Title = fmt.Sprintf("%s: %s", w.Name, plural(count, "notification", "notifications"))
	if name == "overflow" {
		n.Title = fmt.Sprintf("%s: %d more in ten minutes than the rule's limit of %d", w.Name, count, w.Limit)
	}
	return n
}

// rankOf orders severities; info is below all.
func rankOf(severity string) int {
	if severity == "info" || severity == "" {
		return -1
	}
	return risk.Severity(severity).Rank()
}

// alive is what a digest says when there is nothing to tell: so much is watched.
func (w *writer) alive(ctx context.Context, n *Notification) error {
	var nodes, scans int
	day := w.now.Add(-24 * time.Hour).UnixMicro()
	err := w.tx.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM node WHERE present = 1 AND retired_at IS NULL),
		(SELECT count(*) FROM scan WHERE finished_at >= $1 AND state = 'complete')`, day).Scan(&nodes, &scans)
	if err != nil {
		return err
	}
	n.Title, n.Text = "Nothing to report: Patrol is alive", "No notification of this rule since the last digest. If these stop coming, something is wrong."
	n.Facts = []Fact{{"Nodes watched", fmt.Sprint(nodes)}, {"Scans in the last day", fmt.Sprint(scans)}}
	text, err := json.Marshal(map[string]int{"nodes": nodes, "scans": scans})
	n.Data = text
	return err
}
