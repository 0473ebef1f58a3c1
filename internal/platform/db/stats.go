package db

import (
	"database/sql"
	"sync/atomic"
	"time"
)

// Stats is what the database has done since it was opened.
type Stats struct {
	// Committed and Failed count writing transactions; those that were repeated
	// count as failed as well.
	Committed, Failed int64
	// Repeated counts transactions that PostgreSQL could not put in order with
	// others, and that were run again.
	Repeated int64
	// Writing is the time that all of them took, waiting for their turn included.
	Writing        time.Duration
	Writer, Reader sql.DBStats
}

// Stats returns what the database has done.
func (d *DB) Stats() Stats {
	c := &d.counts
	return Stats{c.committed.Load(), c.failed.Load(), c.repeated.Load(), time.Duration(c.writing.Load()), d.writer.Stats(), d.reader.Stats()}
}

type counts struct{ committed, failed, repeated, writing atomic.Int64 }

// note counts a transaction that began then.
func (c *counts) note(began time.Time, err *error) {
	c.writing.Add(int64(time.Since(began)))
	if *err != nil {
		c.failed.Add(1)
		return
	}
	c.committed.Add(1)
}
