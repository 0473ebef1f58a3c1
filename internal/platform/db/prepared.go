package db

import (
	"context"
	"database/sql"
	"sync"
)

// prepared is a pool of SQLite that parses a question once: to parse takes longer
// than most answers do. PostgreSQL's driver does the same by itself.
type prepared struct {
	*sql.DB

	mu         sync.Mutex
	statements map[string]*sql.Stmt
}

// mostPrepared is how many are kept. Those that are put together for a list have
// more forms than that; the first that come are those that come all the time.
const mostPrepared = 200

func (p *prepared) statement(ctx context.Context, query string) (*sql.Stmt, bool) {
	p.mu.Lock()
	s, ok := p.statements[query]
	full := len(p.statements) >= mostPrepared
	p.mu.Unlock()
	if ok || full {
		return s, ok
	}
	// Not while others wait: it may have to wait for a connection itself.
	s, err := p.PrepareContext(ctx, query)
	if err != nil {
		return nil, false // asking without it says why
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if first, ok := p.statements[query]; ok {
		_ = s.Close() // of what was just made
		return first, true
	}
	p.statements[query] = s
	return s, true
}

// QueryContext is that of a pool.
func (p *prepared) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if s, ok := p.statement(ctx, query); ok {
		return s.QueryContext(ctx, args...)
	}
	return p.DB.QueryContext(ctx, query, args...)
}

// QueryRowContext is that of a pool.
func (p *prepared) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	if s, ok := p.statement(ctx, query); ok {
		return s.QueryRowContext(ctx, args...)
	}
	return p.DB.QueryRowContext(ctx, query, args...)
}
