package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"patrol/internal/platform/db"
	"patrol/internal/platform/lease"
	"patrol/internal/platform/logs"
)

// The states of a delivery.
const (
	Pending    = "pending"
	Delivered  = "delivered"
	Dead       = "dead"       // given up; it can be sent again by hand
	Superseded = "superseded" // a newer state of the same was sent in its place
)

var deliveries = lease.Table{Name: "delivery", Open: Pending}

const (
	// deliverPoll finds what no signal told of.
	deliverPoll = 5 * time.Second
	// atOnce is how many deliveries one console sends to one integration at a time.
	atOnce = 8
)

// lane is the way to one integration from this console. Each has its own, so one that
// fails or hangs keeps no other waiting.
type lane struct {
	running int
	sender  Sender
	secrets []string
	version int64     // of the integration that sender is for
	began   time.Time // of the minute in which sent were sent
	sent    int
}

// deliver sends what is due until the context ends, and then waits for what is under
// way.
func (s *Service) deliver(ctx context.Context) {
	var sending sync.WaitGroup
	defer sending.Wait()
	failing := logs.Lasting{What: "deliveries could not be looked for; it will be tried again"}
	s.signals.Loop(ctx, deliveryTopic, func(ctx context.Context) time.Duration {
		wait := deliverPoll
		_, err := s.dispatch(ctx, &sending)
		if err == nil {
			wait, err = s.nextDelivery(ctx)
		}
		failing.Note(ctx, err)
		return wait
	})
}

// Deliver sends everything that is due now and may be sent, and returns when that is
// done.
func (s *Service) Deliver(ctx context.Context) error {
	for {
		var sending sync.WaitGroup
		begun, err := s.dispatch(ctx, &sending)
		sending.Wait()
		if err != nil || begun == 0 {
			return err
		}
	}
}

// waiting is an integration to which something is due.
type waiting struct {
	Integration
	failures int
}

// due returns the integrations to which something is due, and that may be sent to.
func (s *Service) due(ctx context.Context) ([]waiting, error) {
	now := s.now().UnixMicro()
	rows, err := s.db.Read().QueryContext(ctx, `SELECT i.id, i.name, i.kind, i.settings, i.secrets, i.per_minute, i.version, i.failures FROM integration AS i
		WHERE i.enabled = 1 AND i.resumes_at <= $1 AND EXISTS (SELECT 1 FROM delivery AS d WHERE d.integration_id = i.id AND d.state = 'pending'
			AND d.due_at <= $1 AND (d.lease_until IS NULL OR d.lease_until <= $1)) ORDER BY i.id`, now)
	found, err := db.All(rows, err, func(scan db.Scan) (w waiting, err error) {
		return w, scan(&w.ID, &w.Name, &w.Kind, db.JSON{Into: &w.Settings}, &w.sealed, &w.PerMinute, &w.version, &w.failures)
	})
	if err != nil {
		return nil, fmt.Errorf("find what is to be delivered: %w", err)
	}
	return found, nil
}

// dispatch begins to send what is due and there is room for, and returns how many
// deliveries it began.
func (s *Service) dispatch(ctx context.Context, sending *sync.WaitGroup) (begun int, err error) {
	due, err := s.due(ctx)
	if err != nil {
		return 0, err
	}
	for _, w := range due {
		n, err := s.fill(ctx, sending, w)
		begun += n
		if err != nil {
			return begun, err
		}
	}
	return begun, nil
}

// fill begins deliveries to one integration, as many as there is room for.
func (s *Service) fill(ctx context.Context, sending *sync.WaitGroup, w waiting) (begun int, err error) {
	l, room := s.lane(w)
	if room == 0 {
		return 0, nil
	}
	if err := l.open(s, w); err != nil {
		return 0, s.blocked(ctx, w, explain(err, l.secrets))
	}
	jobs, err := s.claim(ctx, w.ID, room)
	if err != nil {
		return 0, err
	}
	s.mu.Lock()
	l.running += len(jobs)
	l.sent += len(jobs)
	s.mu.Unlock()
	sender, secrets, patience := l.sender, l.secrets, s.patienceOf(w.Kind)
	for _, j := range jobs {
		j.patience = patience
		sending.Go(func() {
			defer func() {
				s.mu.Lock()
				l.running--
				s.mu.Unlock()
				s.signals.Hear(deliveryTopic)
			}()
			if err := s.attempt(ctx, j, sender, secrets); err != nil && ctx.Err() == nil {
				slog.WarnContext(ctx, "what came of a delivery could not be written; it is sent again", "integration", w.Name, "delivery", j.claim.ID, "error", err)
			}
		})
	}
	return len(jobs), nil
}

// patienceOf is how long the far side of a kind may take for one notification.
func (s *Service) patienceOf(kind string) time.Duration {
	return max(s.patience, s.kinds[kind].Patience)
}

// lane returns the way to an integration, and how many deliveries may begin: one at a
// time where the last ones failed, to find out whether it answers again.
func (s *Service) lane(w waiting) (*lane, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.lanes[w.ID]
	if l == nil {
		l = &lane{}
		s.lanes[w.ID] = l
	}
	most := atOnce
	if w.failures >= patienceWith {
		most = 1
	}
	room := max(0, most-l.running)
	if w.PerMinute > 0 {
		if now := s.now(); now.Sub(l.began) >= time.Minute || now.Before(l.began) {
			l.began, l.sent = now, 0
		}
		room = min(room, max(0, w.PerMinute-l.sent))
	}
	return l, room
}

// open makes the sender, anew if the integration was changed.
func (l *lane) open(s *Service, w waiting) error {
	if l.sender != nil && l.version == w.version {
		return nil
	}
	kind, err := s.kind(w.Kind)
	if err != nil {
		return err
	}
	all, hidden, err := s.whole(w.Integration)
	if err != nil {
		return err
	}
	l.secrets = slices.Collect(maps.Values(hidden))
	sender, err := kind.Prepare(all, s.options.Guard)
	if err != nil {
		l.sender = nil
		return err
	}
	l.sender, l.version = sender, w.version
	return nil
}

// job is a delivery that this console sends.
type job struct {
	claim        lease.Claim
	patience     time.Duration
	integration  string
	rule         string
	beganAt      time.Time // with the first attempt
	notification Notification
}

// inOrder holds for deliveries before which nothing of their key is waiting.
const inOrder = `integration_id = $6 AND NOT EXISTS (SELECT 1 FROM delivery AS b WHERE b.integration_id = delivery.integration_id
	AND b.key = delivery.key AND b.state = 'pending' AND b.number < delivery.number)`

// claim leases up to n deliveries, with what they are to say. What waited into quiet
// hours, for a far side that failed or for the console, waits on to their end.
func (s *Service) claim(ctx context.Context, integration string, n int) ([]job, error) {
	var jobs []job
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		jobs = nil
		now, loud := s.now(), make(map[string]time.Time)
		claims, err := deliveries.Claim(ctx, tx, now, n, inOrder, integration)
		if err != nil {
			return err
		}
		for _, c := range claims {
			j, err := s.job(ctx, tx, c, integration)
			if err != nil {
				return err
			}
			if _, asked := loud[j.rule]; !asked {
				if loud[j.rule], err = s.loudFor(ctx, tx, j.rule, now); err != nil {
					return err
				}
			}
			if until := loud[j.rule]; until.After(now) {
				if err := deliveries.Postpone(ctx, tx, c, until); err != nil {
					return err
				}
				continue
			}
			jobs = append(jobs, j)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("claim deliveries: %w", err)
	}
	return jobs, nil
}

func (s *Service) job(ctx context.Context, tx *db.Tx, c lease.Claim, integration string) (job, error) {
	j := job{claim: c, integration: integration}
	var number int64
	var key string
	err := tx.QueryRowContext(ctx, `SELECT d.number, d.rule_id, d.key, d.began_at, n.content FROM delivery AS d JOIN notification AS n ON n.id = d.notification_id WHERE d.id = $1`, c.ID).
		Scan(&number, &j.rule, &key, db.Time{Time: &j.beganAt}, db.JSON{Into: &j.notification})
	if err != nil {
		return j, err
	}
	if j.beganAt.IsZero() {
		j.beganAt = s.now()
	}
	// What the far side called it when it was last told of this key.
	err = tx.QueryRowContext(ctx, `SELECT COALESCE((SELECT ref FROM delivery WHERE integration_id = $1 AND key = $2 AND number < $3 AND ref <> '' ORDER BY number DESC LIMIT 1), '')`,
		integration, key, number).Scan(&j.notification.Ref)
	return j, err
}

// loudFor returns the first moment, at or after one, that is not quiet by a rule.
func (s *Service) loudFor(ctx context.Context, q db.Querier, id string, at time.Time) (time.Time, error) {
	r, err := db.One(q.QueryRowContext(ctx, `SELECT `+ruleColumns+` FROM rule AS r WHERE r.id = $1`, id), scanRule)
	if errors.Is(err, db.ErrNotFound) || err == nil && len(r.Quiet) == 0 {
		return at, nil
	}
	if err != nil {
		return at, err
	}
	c := checked{RuleDefinition: r.RuleDefinition}
	if err := c.checkTimes(); err != nil {
		return at, nil // it says so itself where it is read
	}
	return loud(c.quiet, c.zone, at), nil
}

// nextDelivery returns when to look again.
func (s *Service) nextDelivery(ctx context.Context) (time.Duration, error) {
	now := s.now()
	var next time.Time
	err := s.db.Read().QueryRowContext(ctx, `SELECT min(due_at) FROM (SELECT (SELECT min(d.due_at) FROM delivery AS d WHERE d.integration_id = i.id AND d.state = 'pending' AND d.due_at > $1) AS due_at
		FROM integration AS i WHERE i.enabled = 1 UNION ALL SELECT resumes_at FROM integration WHERE enabled = 1 AND resumes_at > $1) AS due`, now.UnixMicro()).Scan(db.Time{Time: &next})
	if err != nil || next.IsZero() {
		return deliverPoll, err
	}
	return max(10*time.Millisecond, min(deliverPoll, next.Sub(now))), nil
}

// errLate is why a hanging far side is given up.
var errLate = errors.New("it did not answer in time")

// lateError is that of a far side which took too long. What the sender made of it may
// say how long to wait before it is asked again.
type lateError struct {
	patience time.Duration
	made     error
}

func (e *lateError) Error() string { return fmt.Sprintf("%v: %v", errLate, e.patience) }

func (e *lateError) Unwrap() []error { return []error{errLate, e.made} }
