package db

import "context"

// MostPrepared is how many statements are kept.
const MostPrepared = mostPrepared

// Prepared is how many statements are kept now.
func Prepared(d *DB) int {
	p := d.questions.(*prepared)
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.statements)
}

// Drop removes those of the rows that are needless still, as Sweep does with what it
// found before.
func Drop(ctx context.Context, d *DB, s Sweep, found []int64, args ...any) (removed int64, err error) {
	return d.drop(ctx, s, found, args)
}
