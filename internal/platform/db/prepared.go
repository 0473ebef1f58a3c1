package db

import (
	"context"
	"database/sql"
	"sync"
	"time"
)

// prepared is a pool of SQLite that parses a question once: to parse takes longer
// than most answers do. PostgreSQL's driver does the same by itself.
type prepared struct {
	*sql.DB

	mu         sync.Mutex
	statements map[string]*statement
}

// statement is a question, and when it was last asked.
type statement struct {
	*sql.Stmt
	asked time.Time
	open  int // how many ask it now
	gone  bool
}

// mostPrepared is how many are kept: lists are put together in more forms than that.
const mostPrepared = 200

// statement returns the parsed question and what is to be called once the answer
// has begun; nil if it cannot be parsed.
func (p *prepared) statement(ctx context.Context, query string) (*statement, func()) {
	p.mu.Lock()
	s, ok := p.statements[query]
	if ok {
		return p.use(s)
	}
	p.mu.Unlock()
	// Not while others wait: it may have to wait for a connection itself.
	parsed, err := p.PrepareContext(ctx, query)
	if err != nil {
		return nil, nil // asking without it says why
	}
	p.mu.Lock()
	if first, ok := p.statements[query]; ok {
		_ = parsed.Close() // what was just made
		return p.use(first)
	}
	if len(p.statements) >= mostPrepared {
		p.forget()
	}
	s = &statement{Stmt: parsed}
	p.statements[query] = s
	return p.use(s)
}

// use unlocks.
func (p *prepared) use(s *statement) (*statement, func()) {
	defer p.mu.Unlock()
	s.asked = time.Now()
	s.open++
	return s, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if s.open--; s.gone && s.open == 0 {
			_ = s.Close() // answers that are being read keep it open
		}
	}
}

// forget drops what was not asked for the longest time.
func (p *prepared) forget() {
	var oldest string
	for query, s := range p.statements {
		if first := p.statements[oldest]; first == nil || s.asked.Before(first.asked) {
			oldest = query
		}
	}
	s := p.statements[oldest]
	delete(p.statements, oldest)
	if s.gone = true; s.open == 0 {
		_ = s.Close()
	}
}

// QueryContext is that of a pool.
func (p *prepared) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if s, begun := p.statement(ctx, query); s != nil {
		defer begun()
		return s.QueryContext(ctx, args...)
	}
	return p.DB.QueryContext(ctx, query, args...)
}

// QueryRowContext is that of a pool.
func (p *prepared) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	if s, begun := p.statement(ctx, query); s != nil {
		defer begun()
		return s.QueryRowContext(ctx, args...)
	}
	return p.DB.QueryRowContext(ctx, query, args...)
}
