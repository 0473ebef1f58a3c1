package notify

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"regexp"
	"runtime/debug"
	"time"

	"patrol/internal/platform/db"
	"patrol/internal/platform/event"
	"patrol/internal/platform/lease"
)

const (
	// givenUpAfter is how long a notification is tried, from the first attempt on.
	givenUpAfter = 24 * time.Hour
	// patienceWith is how many attempts in a row may fail before an integration is
	// left alone for a while, each time for longer.
	patienceWith = 5
	// longestPause is the longest such while, and between two attempts.
	longestPause = 5 * time.Minute
	// attemptsKept is how many attempts of a delivery stay in the log.
	attemptsKept = 20
)

// What is told of an integration: once it cannot deliver, and once it can again.
const (
	integrationFailing = "integration.failing"
	integrationHealthy = "integration.healthy"
	integrationRemoved = "integration.removed"
)

// attempt sends one delivery and writes what came of it. The lease is extended
// meanwhile; whoever lost it has sent what another sends again, and writes nothing.
func (s *Service) attempt(ctx context.Context, j job, sender Sender, secrets []string) error {
	// What is under way when the console ends may finish: it is said twice otherwise.
	ctx = context.WithoutCancel(ctx)
	stop := s.keep(ctx, j.claim)
	o := s.try(ctx, j.patience, sender, j.notification, secrets)
	stop()
	return s.record(ctx, j, o)
}

// try sends a notification once, and returns what came of it.
func (s *Service) try(ctx context.Context, patience time.Duration, sender Sender, n Notification, secrets []string) attempted {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errLate)
	defer cancel()
	ctx, exchange := WithExchange(ctx)
	o := attempted{at: s.now()}
	began := time.Now()
	ref, err := send(ctx, sender, n)
	o.took, o.ref, o.err = time.Since(began), clean(ref), err
	if err != nil && errors.Is(context.Cause(ctx), errLate) {
		o.err = &lateError{patience, err}
	}
	if err != nil {
		o.because = explain(o.err, secrets)
	}
	o.request, o.response = exchange.Said(secrets)
	return o
}

// send calls a sender, whose panic is a failure of one delivery.
func send(ctx context.Context, sender Sender, n Notification) (ref string, err error) {
	defer func() {
		if p := recover(); p != nil {
			slog.ErrorContext(ctx, "a kind of integration panicked", "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("patrol failed to send this, by its own mistake: %v", p)
		}
	}()
	return sender.Send(ctx, n)
}

// explain is an error as people may see it: without the address, which they gave.
func explain(err error, secrets []string) string {
	var failed *url.Error
	if errors.As(err, &failed) && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)) {
		return "the far side closed the connection without an answer"
	}
	return shorten(asked.ReplaceAllString(Mask(err.Error(), secrets), ""), 1000)
}

// asked is how net/http begins an error.
var asked = regexp.MustCompile(`\b(Get|Head|Post|Put|Delete) "[^"]*": `)

// keep extends a lease until stop is called.
func (s *Service) keep(ctx context.Context, c lease.Claim) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		lease.Every(ctx, lease.Duration/3, func(ctx context.Context) time.Duration {
			_ = s.db.Write(ctx, func(tx *db.Tx) error { return deliveries.Extend(ctx, tx, c, s.now()) }) // if it is lost, the end says so
			return lease.Duration / 3
		})
	}()
	return func() { cancel(); <-done }
}

// attempted is what came of an attempt.
type attempted struct {
	at                time.Time
	took              time.Duration
	ref               string
	err               error
	because           string
	request, response string
}

// record writes what came of an attempt, with what it means for the integration.
func (s *Service) record(ctx context.Context, j job, o attempted) error {
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		if err := s.end(ctx, tx, j, o); err != nil {
			return err
		}
		if err := s.log(ctx, tx, j.claim.ID, o); err != nil {
			return err
		}
		if o.err == nil {
			return s.well(ctx, tx, j.integration)
		}
		return s.ill(ctx, tx, j.integration, o)
	})
	if errors.Is(err, lease.ErrLost) {
		return nil // another console sends it, or it was removed
	}
	return err
}

// log adds the attempt to those that are kept. They are counted on when a delivery is
// sent again by hand, whose claims are counted anew.
func (s *Service) log(ctx context.Context, tx *db.Tx, delivery string, o attempted) error {
	var number int
	err := tx.QueryRowContext(ctx, `INSERT INTO attempt (delivery_id, number, at, took, error, request, response)
		VALUES ($1, COALESCE((SELECT max(number) FROM attempt WHERE delivery_id = $1), 0) + 1, $2, $3, $4, $5, $6) RETURNING number`,
		delivery, o.at.UnixMicro(), o.took.Microseconds(), o.because, o.request, o.response).Scan(&number)
	if err == nil && number > attemptsKept {
		_, err = tx.ExecContext(ctx, `DELETE FROM attempt WHERE delivery_id = $1 AND number <= $2`, delivery, number-attemptsKept)
	}
	return err
}

// end moves the delivery on: delivered, due again later, or given up.
func (s *Service) end(ctx context.Context, tx *db.Tx, j job, o attempted) error {
	now := s.now()
	state := Delivered
	var failure *Failure
	errors.As(o.err, &failure)
	switch {
	case o.err == nil:
	case failure != nil && failure.Rejected, now.Sub(j.beganAt) >= givenUpAfter:
		state = Dead
	default:
		if err := deliveries.Retry(ctx, tx, j.claim, now); err != nil {
			return err
		}
		var after time.Duration
		if failure != nil {
			after = failure.After
		}
		_, err := tx.ExecContext(ctx, `UPDATE delivery SET error = $2, due_at = CASE WHEN due_at < $3 THEN $3 ELSE due_at END, began_at = $4 WHERE id = $1`,
			j.claim.ID, o.because, now.Add(after).UnixMicro(), j.beganAt.UnixMicro())
		return err
	}
	if err := deliveries.Finish(ctx, tx, j.claim, state); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `UPDATE delivery SET ended_at = $2, ref = $3, error = $4 WHERE id = $1`, j.claim.ID, now.UnixMicro(), o.ref, o.because)
	return err
}

// well notes that the integration delivers. A pause stays: it was asked for after this
// attempt began, as none begins in one.
func (s *Service) well(ctx context.Context, tx *db.Tx, id string) error {
	var told int
	now := s.now()
	var name string
	err := tx.QueryRowContext(ctx, `SELECT told_failing, name FROM integration WHERE id = $1`, id).Scan(&told, &name)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE integration SET failures = 0, failing_since = NULL, failing_because = '', told_failing = 0, delivered_at = $2 WHERE id = $1`, id, now.UnixMicro())
	if err != nil || told == 0 {
		return err
	}
	return event.Append(ctx, tx, now, integrationHealthy, id, map[string]any{"name": name})
}

// ill notes that it does not, and leaves it alone for a while once it has failed again
// and again, or asked for that. A notification that will never be taken says so of
// itself; the integration is not left alone for it.
func (s *Service) ill(ctx context.Context, tx *db.Tx, id string, o attempted) error {
	now := s.now()
	var failures, told int
	var name string
	err := tx.QueryRowContext(ctx, `UPDATE integration SET failures = failures + 1, failing_because = $2, failing_since = COALESCE(failing_since, $3) WHERE id = $1
		RETURNING failures, told_failing, name`, id, o.because, now.UnixMicro()).Scan(&failures, &told, &name)
	if err != nil {
		return err
	}
	var failure *Failure
	errors.As(o.err, &failure)
	if failure != nil && failure.Rejected {
		failures = 0
		if _, err := tx.ExecContext(ctx, `UPDATE integration SET failures = 0 WHERE id = $1`, id); err != nil {
			return err
		}
	}
	if wait := pause(failures, failure); wait > 0 {
		if _, err := tx.ExecContext(ctx, `UPDATE integration SET resumes_at = $2 WHERE id = $1`, id, now.Add(wait).UnixMicro()); err != nil {
			return err
		}
	}
	if told == 1 || failures < patienceWith && (failure == nil || !failure.Rejected) {
		return nil
	}
	return s.tellFailing(ctx, tx, id, name, o.because)
}

// pause is how long an integration is left alone: as long as it asks for, and from the
// fifth failure in a row on a second, doubled with each one, spread by half.
func pause(failures int, failure *Failure) time.Duration {
	var wait time.Duration
	if failures >= patienceWith {
		wait = min(time.Second<<min(failures-patienceWith, 16), longestPause)
		wait = wait/2 + rand.N(wait)
	}
	if failure != nil {
		wait = max(wait, failure.After)
	}
	return wait
}

// blocked notes an integration that cannot be sent to at all, such as one whose
// secrets this console cannot read.
func (s *Service) blocked(ctx context.Context, w waiting, because string) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		now := s.now()
		var told int
		err := tx.QueryRowContext(ctx, `UPDATE integration SET failures = failures + 1, failing_because = $2, failing_since = COALESCE(failing_since, $3), resumes_at = $4 WHERE id = $1
			RETURNING told_failing`, w.ID, because, now.UnixMicro(), now.Add(time.Minute).UnixMicro()).Scan(&told)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return nil // it was removed
		case err != nil || told == 1:
			return err
		}
		return s.tellFailing(ctx, tx, w.ID, w.Name, because)
	})
}

// tellFailing says that an integration cannot deliver, which is told once.
func (s *Service) tellFailing(ctx context.Context, tx *db.Tx, id, name, because string) error {
	if _, err := tx.ExecContext(ctx, `UPDATE integration SET told_failing = 1 WHERE id = $1`, id); err != nil {
		return err
	}
	return event.Append(ctx, tx, s.now(), integrationFailing, id, map[string]any{"name": name, "error": because})
}
