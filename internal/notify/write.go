package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"patrol/internal/platform/db"
)

// window is the time in which a rule makes as many notifications as its limit says.
const window = 10 * time.Minute

// writer writes what one rule tells, in one transaction.
type writer struct {
	*asker
	service *Service
	tx      *db.Tx
	now     time.Time
	to      []target
	// from and count are the window that goes on, overflow when what was too many is
	// told; zero if nothing was.
	from, overflow time.Time
	count          int
	// since are the keys that are raised, of those that are told.
	since map[string]time.Time
}

// target is an integration that a rule tells, and what it takes.
type target struct {
	id              string
	tracks, records bool
}

func (s *Service) writer(ctx context.Context, tx *db.Tx, a *asker) (*writer, error) {
	w := &writer{asker: a, service: s, tx: tx, now: s.now()}
	row := tx.QueryRowContext(ctx, `SELECT window_from, window_count, overflow_at FROM rule WHERE id = $1`, a.id)
	if err := row.Scan(db.Time{Time: &w.from}, &w.count, db.Time{Time: &w.overflow}); err != nil {
		return nil, err
	}
	if w.now.Sub(w.from) >= window || w.now.Before(w.from) {
		w.from, w.count = w.now, 0
	}
	for _, id := range a.Integrations {
		var kind string
		err := tx.QueryRowContext(ctx, `SELECT COALESCE(max(kind), '') FROM integration WHERE id = $1 AND enabled = 1`, id).Scan(&kind)
		if err != nil {
			return nil, err
		}
		if kind != "" {
			w.to = append(w.to, target{id, s.kinds[kind].Tracks, s.kinds[kind].Records})
		}
	}
	return w, nil
}

func (s *Service) write(ctx context.Context, tx *db.Tx, a *asker, told []telling) error {
	w, err := s.writer(ctx, tx, a)
	if err != nil {
		return err
	}
	keys := make([]string, len(told))
	for i, t := range told {
		keys[i] = t.key
	}
	if w.since, err = raised(ctx, tx, a.id, keys); err != nil {
		return err
	}
	for _, t := range told {
		if err := w.one(ctx, t); err != nil {
			return err
		}
	}
	_, err = tx.ExecContext(ctx, `UPDATE rule SET window_from = $2, window_count = $3, overflow_at = $4 WHERE id = $1`,
		a.id, w.from.UnixMicro(), w.count, db.Micros(w.overflow))
	return err
}

// one writes one matter: at once, for the digest, or for what was too many.
func (w *writer) one(ctx context.Context, t telling) error {
	n := t.Notification
	_, is := w.since[t.key]
	var tells bool
	if n.Action, tells = t.step(w.GroupBy, is); !tells {
		return nil
	}
	if n.Action == Resolved {
		if err := w.lower(ctx, t.key); err != nil {
			return err
		}
	}
	if w.digest != nil {
		return w.later(ctx, t, n.Action)
	}
	if n.Action != Resolved && len(w.audience(n)) > 0 {
		if w.count >= w.Limit {
			return w.gather(ctx, t, true)
		}
		w.count++
	}
	if n.Action == Opened && len(w.audience(n)) > 0 {
		if err := w.raise(ctx, t.key); err != nil {
			return err
		}
	}
	cause := w.id + "/" + t.cause + "/" + t.key + "/" + string(n.Action)
	if err := w.notify(ctx, n, cause, w.audience(n)); err != nil {
		return err
	}
	return w.rest(ctx, n, t.matter, cause)
}

// later keeps a matter for the digest.
func (w *writer) later(ctx context.Context, t telling, as Action) error {
	if as == Opened && len(w.to) > 0 {
		if err := w.raise(ctx, t.key); err != nil {
			return err
		}
	}
	if as == Resolved && !w.Resolved {
		return nil
	}
	return w.gather(ctx, t, false)
}

// step is what a matter is to be told as, after its key was raised or not, and whether
// it is to be told at all.
func (m matter) step(groupBy string, raised bool) (as Action, tells bool) {
	byScan := groupBy == ByScan && len(m.noted) > 0 // it ends with no other
	switch {
	case m.action == Resolved:
		return Resolved, raised || byScan
	case m.action == Opened && byScan:
		return Told, true
	case m.action == Opened && raised:
		return Changed, true
	}
	return m.action, true
}

// rest writes the findings beyond those that one notification holds, for who keeps
// them all.
func (w *writer) rest(ctx context.Context, n Notification, m matter, cause string) error {
	keeping := slices.DeleteFunc(slices.Clone(w.to), func(t target) bool { return !t.records })
	if len(keeping) == 0 || w.GroupBy == ByVulnerability {
		return nil // of a vulnerability, one notification
	}
	for i, part := range w.parts(n, m) {
		if err := w.notify(ctx, part, fmt.Sprintf("%s/%d", cause, i+2), keeping); err != nil {
			return err
		}
	}
	return nil
}

// audience are the integrations that a notification is for. That one more node has a
// vulnerability changes what some of them keep; of a node, each change is news to all,
// and so is what became worse or overdue.
func (w *writer) audience(n Notification) []target {
	var to []target
	for _, t := range w.to {
		switch {
		case t.tracks, t.records, n.Action == Opened, n.Action == Told, n.Action == Changed && w.isNews(n), n.Action == Resolved && w.Resolved:
			to = append(to, t)
		}
	}
	return to
}

func (w *writer) isNews(n Notification) bool {
	return w.GroupBy == ByNode || n.Type != OccurrenceOpened && isFindings(n.Type)
}

// raised returns which keys of a rule are, and since when.
func raised(ctx context.Context, q db.Querier, rule string, keys []string) (map[string]time.Time, error) {
	list, err := db.Column(keys)
	if err != nil {
		return nil, err
	}
	rows, err := q.QueryContext(ctx, `SELECT key, raised_at FROM raised WHERE rule_id = $1 AND key `+db.Among(`$2`), rule, list)
	if err != nil {
		return nil, err
	}
	since := make(map[string]time.Time)
	return since, db.Each(rows, func(scan db.Scan) error {
		var key string
		var at time.Time
		err := scan(&key, db.Time{Time: &at})
		since[key] = at
		return err
	})
}

func (w *writer) raise(ctx context.Context, key string) error {
	if _, is := w.since[key]; is {
		return nil
	}
	w.since[key] = w.now
	_, err := w.tx.ExecContext(ctx, `INSERT INTO raised (rule_id, key, raised_at) VALUES ($1, $2, $3) ON CONFLICT (rule_id, key) DO NOTHING`, w.id, key, w.now.UnixMicro())
	return err
}

func (w *writer) lower(ctx context.Context, key string) error {
	delete(w.since, key)
	_, err := w.tx.ExecContext(ctx, `DELETE FROM raised WHERE rule_id = $1 AND key = $2`, w.id, key)
	return err
}

// notify writes a notification, which is made once of one cause, and its deliveries.
func (w *writer) notify(ctx context.Context, n Notification, cause string, to []target) error {
	if len(to) == 0 {
		return nil
	}
	n.ID = db.NewID()
	content, err := db.ToJSON(n)
	if err != nil {
		return err
	}
	result, err := w.tx.ExecContext(ctx, `INSERT INTO notification (id, rule_id, cause, title, content, created_at) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (cause) DO NOTHING`,
		n.ID, w.id, cause, clean(n.Title), content, w.now.UnixMicro())
	if err != nil {
		return err
	}
	if made, err := result.RowsAffected(); err != nil || made == 0 {
		return err
	}
	due := loud(w.quiet, w.zone, w.now)
	for _, t := range to {
		if err := w.deliver(ctx, n, t, due); err != nil {
			return fmt.Errorf("deliver to integration %s: %w", t.id, err)
		}
	}
	w.tx.Wake(deliveryTopic)
	return nil
}

func (w *writer) deliver(ctx context.Context, n Notification, to target, due time.Time) error {
	if n.Action == Changed && to.tracks && !to.records && !w.isNews(n) {
		// A newer state of the same takes the place of one that nobody has begun to send.
		_, err := w.tx.ExecContext(ctx, `UPDATE delivery SET state = '`+Superseded+`', ended_at = $3
			WHERE integration_id = $1 AND key = $2 AND state = '`+Pending+`' AND action = '`+string(Changed)+`' AND attempts = 0`, to.id, n.Key, w.now.UnixMicro())
		if err != nil {
			return err
		}
	}
	_, err := w.tx.ExecContext(ctx, `INSERT INTO delivery (id, integration_id, notification_id, rule_id, key, action, state, due_at, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, '`+Pending+`', $7, $8)`, db.NewID(), to.id, n.ID, w.id, n.Key, string(n.Action), due.UnixMicro(), w.now.UnixMicro())
	return err
}

// gathered is what a digest, or the sum of what was too many, knows of a matter.
type gathered struct {
	Title    string    `json:"title"`
	Severity string    `json:"severity"`
	Findings []Finding `json:"findings"`
	Total    int       `json:"total"`
}

// gather keeps a matter to be told later, together with others.
func (w *writer) gather(ctx context.Context, t telling, overflow bool) error {
	n := t.Notification
	g := gathered{Title: n.Title, Severity: n.Severity, Findings: n.Findings[:min(few, len(n.Findings))], Total: n.Total}
	if t.matter.action == Resolved {
		g = gathered{Title: n.Title, Severity: "info", Findings: []Finding{}} // what is gone stands among no findings
	}
	text, err := json.Marshal(g)
	if err != nil {
		return err
	}
	if overflow && w.overflow.IsZero() {
		w.overflow = w.from.Add(window)
	}
	_, err = w.tx.ExecContext(ctx, `INSERT INTO gathered (rule_id, overflow, at, rank, matter) VALUES ($1, $2, $3, $4, $5)`,
		w.id, db.Bit(overflow), w.now.UnixMicro(), rankOf(g.Severity), string(text))
	return err
}
