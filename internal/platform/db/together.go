package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"
)

// SQLite has one writer, and a commit costs it a sync of the disk and every page
// that was touched, however little was written in them. So transactions that wait
// for the writer anyway join the one before them, and all are committed together;
// nobody is told before that. If one fails, all are undone and done again, each by
// itself.

// joining bounds how long after its begin others may join a transaction: who began
// it waits as long.
const joining = 50 * time.Millisecond

// apart is how many transactions nobody joins after one that failed: failures come
// together, and each costs the work of those it was with.
const apart = 16

// queue is who waits for the one writer, first come first served.
type queue struct {
	mu      sync.Mutex
	busy    bool
	apart   int // how many more nobody joins
	waiting []*member
}

// member is a transaction that waits.
type member struct {
	// alone is one that failed together with others. What it failed of may have been
	// theirs, and undone with them.
	alone bool
	// turn hands it the transaction that it joins; nil if it is to begin one.
	turn chan *sql.Tx
	// done is what the member answers then: whether it went well.
	done chan bool
	// ended is how the transaction ended.
	ended chan error
}

// errUndone says that one of several transactions failed that were to be committed
// together, so that all have to be done again.
var errUndone = errors.New("undone with another transaction")

// enter returns nil if the caller is to begin a transaction, and else what it waits
// as.
func (q *queue) enter(alone bool) *member {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.busy {
		q.busy = true
		return nil
	}
	m := &member{alone, make(chan *sql.Tx), make(chan bool), make(chan error, 1)}
	q.waiting = append(q.waiting, m)
	return m
}

// next returns who has waited longest if it may join.
func (q *queue) next() *member {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 || q.waiting[0].alone || q.apart > 0 {
		return nil
	}
	m := q.waiting[0]
	q.waiting = q.waiting[1:]
	return m
}

// leave gives the writer to who has waited longest.
func (q *queue) leave() {
	q.mu.Lock()
	q.apart = max(0, q.apart-1)
	if len(q.waiting) == 0 {
		q.busy = false
		q.mu.Unlock()
		return
	}
	m := q.waiting[0]
	q.waiting = q.waiting[1:]
	q.mu.Unlock()
	m.turn <- nil
}

// failed lets nobody join for a while.
func (q *queue) failed() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.apart = apart
}

// give takes a member out that waits no longer; false if its turn has come.
func (q *queue) give(up *member) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, m := range q.waiting {
		if m == up {
			q.waiting = append(q.waiting[:i:i], q.waiting[i+1:]...)
			return true
		}
	}
	return false
}

// writeTogether runs f in a transaction, and others in it that wait for theirs.
func (d *DB) writeTogether(ctx context.Context, f func(tx *Tx) error) (err error) {
	defer d.counts.note(time.Now(), &err)
	for again := false; ; again = true {
		tx, err := d.takeTurn(ctx, again, f)
		if errors.Is(err, errUndone) {
			d.counts.repeated.Add(1)
			continue
		}
		if err == nil {
			tx.committed(d.wake)
		}
		return err
	}
}

// takeTurn waits for the writer and returns the transaction once that is committed.
func (d *DB) takeTurn(ctx context.Context, again bool, f func(tx *Tx) error) (*Tx, error) {
	m := d.queue.enter(again)
	if m == nil {
		return d.lead(ctx, f)
	}
	waited := d.counts.wait(time.Now())
	select {
	case tx := <-m.turn:
		waited()
		if tx == nil {
			return d.lead(ctx, f)
		}
		return d.join(m, tx, f)
	case <-ctx.Done():
		waited()
		if d.queue.give(m) {
			return nil, ctx.Err()
		}
		if tx := <-m.turn; tx == nil {
			d.queue.leave()
		} else {
			m.done <- true
		}
		return nil, ctx.Err()
	}
}

// lead begins a transaction, lets others join once f has done its part, and
// commits it.
func (d *DB) lead(ctx context.Context, f func(tx *Tx) error) (*Tx, error) {
	defer d.queue.leave()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	began := time.Now()
	// Not ended by the context of one: what f does in it is.
	sqlTx, err := d.writer.BeginTx(context.WithoutCancel(ctx), nil)
	if err != nil {
		return nil, fmt.Errorf("begin transaction: %w", err)
	}
	defer func() { _ = sqlTx.Rollback() }() // a no-op after Commit
	tx := &Tx{Tx: sqlTx, dialect: d.dialect}
	if err := tx.run(f); err != nil {
		return nil, err
	}
	joined, err := d.followed(sqlTx, began)
	if err != nil {
		d.queue.failed()
	} else if err = sqlTx.Commit(); err != nil {
		err = fmt.Errorf("commit transaction: %w", err)
	}
	for _, m := range joined {
		m.ended <- err
	}
	return tx, err
}

// followed lets who waits join the transaction until one fails, which is errUndone,
// and returns who joined. Nobody joins one that took long: that would be much to do
// again.
func (d *DB) followed(sqlTx *sql.Tx, began time.Time) (joined []*member, err error) {
	for time.Since(began) < joining {
		m := d.queue.next()
		if m == nil {
			break
		}
		joined = append(joined, m)
		m.turn <- sqlTx
		if !<-m.done {
			return joined, errUndone
		}
	}
	return joined, nil
}

// join runs f in the transaction of another, and waits for the end of that.
func (d *DB) join(m *member, sqlTx *sql.Tx, f func(tx *Tx) error) (*Tx, error) {
	tx := &Tx{Tx: sqlTx, dialect: d.dialect}
	well := tx.as(m, f)
	if err := <-m.ended; err != nil {
		return nil, err
	}
	if !well {
		return nil, errUndone
	}
	return tx, nil
}

// as runs f and answers for a member whether it went well; it did not if f panics.
func (t *Tx) as(m *member, f func(tx *Tx) error) (well bool) {
	defer func() { m.done <- well }()
	well = t.run(f) == nil
	return well
}
