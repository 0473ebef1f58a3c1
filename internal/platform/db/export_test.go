package db

// MostPrepared is how many statements are kept.
const MostPrepared = mostPrepared

// Prepared is how many statements are kept now.
func Prepared(d *DB) int {
	p := d.questions.(*prepared)
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.statements)
}
