package db

import (
	"database/sql"
	"sync/atomic"
	"time"
)

// Stats is what the database has done since it was opened.
type Stats struct {
	// Committed and Failed count writing transactions; on PostgreSQL those that were
	// repeated count as failed as well.
	Committed, Failed int64
	// Repeated counts transactions that were run again: PostgreSQL could not put them
	// in order with others, or they were undone with one that failed on SQLite.
	Repeated int64
	// Writing is the time that all of them took, waiting for their turn included.
	Writing        time.Duration
	Writer, Reader sql.DBStats
}

// Stats returns what the database has done.
func (d *DB) Stats() Stats {
	c := &d.counts
	writer := d.writer.Stats()
	writer.WaitCount += c.waits.Load()
	writer.WaitDuration += time.Duration(c.waited.Load())
	return Stats{c.committed.Load(), c.failed.Load(), c.repeated.Load(), time.Duration(c.writing.Load()), writer, d.reader.Stats()}
}

type counts struct{ committed, failed, repeated, writing, waits, waited atomic.Int64 }

// wait counts who began to wait for SQLite's writer then, and returns what ends it.
func (c *counts) wait(began time.Time) func() {
	c.waits.Add(1)
	return func() { c.waited.Add(int64(time.Since(began))) }
}

// note counts a transaction that began then.
func (c *counts) note(began time.Time, err *error) {
	c.writing.Add(int64(time.Since(began)))
	if *err != nil {
		c.failed.Add(1)
		return
	}
	c.committed.Add(1)
}
