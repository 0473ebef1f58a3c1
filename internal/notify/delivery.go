package notify

import (
	"context"
	"errors"
	"fmt"
	"time"

	"patrol/internal/platform/audit"
	"patrol/internal/platform/db"
	"patrol/internal/platform/problem"
	"patrol/internal/platform/rest"
)

// Delivery is one notification on its way to one integration.
type Delivery struct {
	ID          string    `json:"id"`
	Integration string    `json:"integration" doc:"Its id."`
	Rule        string    `json:"rule" doc:"Its id."`
	Key         string    `json:"key"`
	Action      Action    `json:"action" enum:"opened,changed,resolved,told"`
	Title       string    `json:"title"`
	State       string    `json:"state" enum:"pending,delivered,dead,superseded"`
	Attempts    int       `json:"attempts"`
	Error       string    `json:"error,omitempty" doc:"Of the last attempt."`
	Ref         string    `json:"ref,omitempty" doc:"What the far side calls what it made."`
	CreatedAt   time.Time `json:"created_at"`
	DueAt       time.Time `json:"due_at,omitzero" doc:"When it is tried next."`
	EndedAt     time.Time `json:"ended_at,omitzero"`
	number      int64
}

// DeliveryLog is a delivery with what it says, and every attempt that is still kept.
type DeliveryLog struct {
	Delivery
	Notification Notification      `json:"notification"`
	Log          []DeliveryAttempt `json:"log"`
}

// DeliveryAttempt is one time that a delivery was tried.
type DeliveryAttempt struct {
	Number   int       `json:"number"`
	At       time.Time `json:"at"`
	Took     float64   `json:"took_ms"`
	Error    string    `json:"error,omitempty"`
	Request  string    `json:"request" doc:"Without secrets, and the first 8 KiB."`
	Response string    `json:"response" doc:"The first 8 KiB."`
}

// DeliveryQuery says which deliveries a list holds.
type DeliveryQuery struct {
	Integration string `query:"integration" doc:"Its id."`
	Rule        string `query:"rule" doc:"Its id."`
	State       string `query:"state" enum:"pending,delivered,dead,superseded"`
}

const deliveryColumns = `d.number, d.id, d.integration_id, d.rule_id, d.key, d.action, n.title, d.state, d.attempts, d.error, d.ref, d.created_at, d.due_at, d.ended_at`

func scanDelivery(scan db.Scan) (d Delivery, err error) {
	err = scan(&d.number, &d.ID, &d.Integration, &d.Rule, &d.Key, &d.Action, &d.Title, &d.State, &d.Attempts, &d.Error, &d.Ref,
		db.Time{Time: &d.CreatedAt}, db.Time{Time: &d.DueAt}, db.Time{Time: &d.EndedAt})
	if d.State != Pending {
		d.DueAt = time.Time{}
	}
	return d, err
}

// Deliveries lists them, the newest first.
func (s *Service) Deliveries(ctx context.Context, q DeliveryQuery, p rest.Paging) (rest.Page[Delivery], error) {
	var last int64
	if err := p.Decode(&last); err != nil {
		return rest.Page[Delivery]{}, err
	}
	where, args := `(CAST($1 AS BIGINT) = 0 OR d.number < $1)`, []any{last, p.Limit + 1}
	for _, c := range []struct{ column, value string }{{"integration_id", q.Integration}, {"rule_id", q.Rule}, {"state", q.State}} {
		if c.value != "" {
			args = append(args, c.value)
			where += fmt.Sprintf(` AND d.%s = $%d`, c.column, len(args))
		}
	}
	rows, err := s.db.Read().QueryContext(ctx, `SELECT `+deliveryColumns+` FROM delivery AS d JOIN notification AS n ON n.id = d.notification_id
		WHERE `+where+` ORDER BY d.number DESC LIMIT $2`, args...)
	found, err := db.All(rows, err, scanDelivery)
	if err != nil {
		return rest.Page[Delivery]{}, fmt.Errorf("list deliveries: %w", err)
	}
	return rest.NewPage(found, p.Limit, func(d Delivery) any { return d.number })
}

// Delivery returns one with its log.
func (s *Service) Delivery(ctx context.Context, id string) (DeliveryLog, error) {
	q := s.db.Read()
	var log DeliveryLog
	_, err := db.One(q.QueryRowContext(ctx, `SELECT `+deliveryColumns+`, n.content FROM delivery AS d JOIN notification AS n ON n.id = d.notification_id WHERE d.id = $1`, id),
		func(scan db.Scan) (_ struct{}, err error) {
			log.Delivery, err = scanDelivery(func(dest ...any) error { return scan(append(dest, db.JSON{Into: &log.Notification})...) })
			return struct{}{}, err
		})
	if errors.Is(err, db.ErrNotFound) {
		return log, problem.NotFound("delivery", id)
	}
	if err != nil {
		return log, err
	}
	rows, err := q.QueryContext(ctx, `SELECT number, at, took, error, request, response FROM attempt WHERE delivery_id = $1 ORDER BY number`, id)
	log.Log, err = db.All(rows, err, func(scan db.Scan) (a DeliveryAttempt, err error) {
		var micros int64
		err = scan(&a.Number, db.Time{Time: &a.At}, &micros, &a.Error, &a.Request, &a.Response)
		a.Took = float64(micros) / 1000
		return a, err
	})
	return log, err
}

// Redeliver sends a delivery that was given up once more. One after which something
// else of its key was delivered is not: the far side would have them in the wrong order.
func (s *Service) Redeliver(ctx context.Context, id string) (DeliveryLog, error) {
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		var state, integration, key string
		var number int64
		_, err := db.One(tx.QueryRowContext(ctx, `SELECT state, integration_id, key, number FROM delivery WHERE id = $1`, id),
			func(scan db.Scan) (struct{}, error) { return struct{}{}, scan(&state, &integration, &key, &number) })
		if errors.Is(err, db.ErrNotFound) {
			return problem.NotFound("delivery", id)
		}
		if err != nil {
			return err
		}
		if state != Dead {
			return problem.Conflict("the delivery is %s, not dead", state)
		}
		var later int
		err = tx.QueryRowContext(ctx, `SELECT count(*) FROM delivery AS l WHERE integration_id = $1 AND key = $2 AND number > $3 AND `+there, integration, key, number, s.now().UnixMicro()).Scan(&later)
		if err != nil {
			return err
		}
		if later > 0 {
			return problem.Conflict("something newer of the same was delivered already, which this would undo")
		}
		if err := s.revive(ctx, tx, integration, `id = $3`, id); err != nil {
			return err
		}
		return audit.Record(ctx, tx, s.now(), "delivery.redelivered", audit.Subject{Kind: "delivery", ID: id}, nil, nil)
	})
	if err != nil {
		return DeliveryLog{}, err
	}
	return s.Delivery(ctx, id)
}

// there holds for a delivery l that the far side has, or may have at any moment; $4 is
// now.
const there = `(l.state = 'delivered' OR l.state = 'pending' AND l.lease_until > $4)`

// RedeliverAll does so with all of an integration for which that is possible, and
// tries the integration at once.
func (s *Service) RedeliverAll(ctx context.Context, integration string) (Integration, error) {
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		i, err := s.integration(ctx, tx, integration)
		if err != nil {
			return err
		}
		err = s.revive(ctx, tx, integration, `state = $3 AND NOT EXISTS (SELECT 1 FROM delivery AS l WHERE l.integration_id = delivery.integration_id
			AND l.key = delivery.key AND l.number > delivery.number AND `+there+`)`, Dead, s.now().UnixMicro())
		if err != nil {
			return err
		}
		// What failed before waits no longer either.
		_, err = tx.ExecContext(ctx, `UPDATE delivery SET due_at = $2 WHERE integration_id = $1 AND state = '`+Pending+`' AND attempts > 0 AND lease_until IS NULL AND due_at > $2`,
			integration, s.now().UnixMicro())
		if err != nil {
			return err
		}
		return audit.Record(ctx, tx, s.now(), "integration.redelivered", i.subject(), nil, nil)
	})
	if err != nil {
		return Integration{}, err
	}
	return s.Integration(ctx, integration)
}

// revive has deliveries of an integration sent once more, as if they were new; the
// parameters of which begin at $3.
func (s *Service) revive(ctx context.Context, tx *db.Tx, integration, which string, args ...any) error {
	_, err := tx.ExecContext(ctx, `UPDATE integration SET resumes_at = 0, failures = 0 WHERE id = $1`, integration)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE delivery SET state = '`+Pending+`', due_at = $2, began_at = NULL, ended_at = NULL, attempts = 0 WHERE integration_id = $1 AND `+which,
		append([]any{integration, s.now().UnixMicro()}, args...)...)
	tx.Wake(deliveryTopic)
	return err
}

// Sweep removes notifications with their deliveries that ended before a moment, and
// returns how many. What tells where something stands that is still open stays.
func (s *Service) Sweep(ctx context.Context, moment time.Time) (int64, error) {
	return s.db.SweepOldest(ctx, `SELECT n.id FROM notification AS n WHERE n.created_at < $1
		AND NOT EXISTS (SELECT 1 FROM delivery AS d WHERE d.notification_id = n.id AND d.state = 'pending')
		AND NOT EXISTS (SELECT 1 FROM delivery AS d JOIN raised AS r ON r.rule_id = d.rule_id AND r.key = substr(d.key, length(d.rule_id) + 2)
			WHERE d.notification_id = n.id AND d.ref <> '') ORDER BY n.created_at, n.id`,
		[]string{"notification WHERE id"}, 500, moment.UnixMicro())
}
