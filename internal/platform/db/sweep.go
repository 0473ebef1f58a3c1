package db

import (
	"context"
	"fmt"
	"strconv"
)

// Sweep says which rows of a table nothing needs any more, and what goes with them.
type Sweep struct {
	// From is the table and the name of a row in Needless: "sbom AS b".
	From string
	// ID is a row's BIGINT key: "b.id".
	ID string
	// Needless holds for rows that may go. Its parameters begin with $2.
	Needless string
	// Delete are the tables of which rows go, in that order, up to what is to be
	// among the ids that are found: "sbom WHERE id".
	Delete []string
	// Batch is how many one transaction removes: others wait for it.
	Batch int
}

// Sweep removes what nothing needs, and returns how many rows of the first table. To
// find them is to look at all rows, so it is done outside of transactions; something
// may need one by then, so the transaction that removes a batch asks once more, for
// those ids alone.
func (d *DB) Sweep(ctx context.Context, s Sweep, args ...any) (removed int64, err error) {
	next := `> $1 AND ` + s.Needless + ` ORDER BY ` + s.ID + ` LIMIT ` + strconv.Itoa(s.Batch)
	for after := int64(0); ; {
		found, err := s.find(ctx, d.Read(), next, after, args)
		if err != nil || len(found) == 0 {
			return removed, err
		}
		after = found[len(found)-1]
		n, err := d.drop(ctx, s, found, args)
		removed += n
		if err != nil {
			return removed, err
		}
	}
}

// find returns the ids that something holds for; first is its $1.
func (s Sweep) find(ctx context.Context, q Querier, what string, first any, args []any) ([]int64, error) {
	rows, err := q.QueryContext(ctx, `SELECT `+s.ID+` FROM `+s.From+` WHERE `+s.ID+` `+what, append([]any{first}, args...)...)
	ids, err := All(rows, err, Value[int64])
	if err != nil {
		return nil, fmt.Errorf("find what nothing needs of %s: %w", s.From, err)
	}
	return ids, nil
}

// drop removes those of the rows that are needless still.
func (d *DB) drop(ctx context.Context, s Sweep, found []int64, args []any) (removed int64, err error) {
	among, err := Column(found)
	if err != nil {
		return 0, err
	}
	err = d.Write(ctx, func(tx *Tx) error {
		still, err := s.find(ctx, tx, AmongIDs+` AND `+s.Needless, among, args)
		if err != nil {
			return err
		}
		ids, err := Column(still)
		if err != nil {
			return err
		}
		for _, table := range s.Delete {
			if _, err := tx.ExecContext(ctx, `DELETE FROM `+table+` `+AmongIDs, ids); err != nil {
				return fmt.Errorf("remove what nothing needs of %s: %w", s.From, err)
			}
		}
		removed = int64(len(still))
		return nil
	})
	return removed, err
}

// SweepOldest removes rows with TEXT keys, and returns how many. A query finds the
// keys of the rows that go, in the order in which they do, without a LIMIT. Of the
// tables, rows go in that order, up to what is to be among the keys: "scan WHERE id".
func (d *DB) SweepOldest(ctx context.Context, query string, tables []string, batch int, args ...any) (removed int64, err error) {
	for {
		var found []string
		err := d.Write(ctx, func(tx *Tx) error {
			rows, err := tx.QueryContext(ctx, query+` LIMIT `+strconv.Itoa(batch), args...)
			if found, err = All(rows, err, Value[string]); err != nil {
				return err
			}
			keys, err := Column(found)
			if err != nil {
				return err
			}
			for _, table := range tables {
				if _, err := tx.ExecContext(ctx, `DELETE FROM `+table+` `+Among(`$1`), keys); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return removed, err
		}
		removed += int64(len(found))
		if len(found) < batch {
			return removed, nil
		}
	}
}
