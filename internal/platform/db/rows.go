package db

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// ErrNotFound says that there is no row of that id.
var ErrNotFound = errors.New("not found")

// Scan reads the columns of one row.
type Scan func(dest ...any) error

// Each reads every row and closes them.
func Each(rows *sql.Rows, read func(Scan) error) error {
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := read(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// All reads every row into a list that is never nil.
func All[T any](rows *sql.Rows, err error, read func(Scan) (T, error)) ([]T, error) {
	if err != nil {
		return nil, err
	}
	items := []T{}
	return items, Each(rows, func(scan Scan) error {
		item, err := read(scan)
		items = append(items, item)
		return err
	})
}

// One reads a single row; ErrNotFound if there is none.
func One[T any](row *sql.Row, read func(Scan) (T, error)) (T, error) {
	item, err := read(row.Scan)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	return item, err
}

// Value reads a row of a single column.
func Value[T any](scan Scan) (value T, err error) { return value, scan(&value) }

// Time is a moment as the database has it: microseconds since 1970, or NULL for
// the zero time.
type Time struct{ *time.Time }

// Micros returns the column value of a time.
func Micros(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

// Scan implements sql.Scanner.
func (t Time) Scan(value any) error {
	switch v := value.(type) {
	case nil:
		*t.Time = time.Time{}
	case int64:
		*t.Time = time.UnixMicro(v).UTC()
	default:
		return fmt.Errorf("column of type %T holds no time in microseconds", value)
	}
	return nil
}

// Bit is the column value of a bool.
func Bit(is bool) int {
	if is {
		return 1
	}
	return 0
}

// JSON scans a JSON column into the value it points to.
type JSON struct{ Into any }

// Scan implements sql.Scanner.
func (j JSON) Scan(value any) error {
	switch v := value.(type) {
	case nil:
		return nil
	case string:
		return json.Unmarshal([]byte(v), j.Into)
	case []byte:
		return json.Unmarshal(v, j.Into)
	default:
		return fmt.Errorf("column of type %T holds no JSON", value)
	}
}

// Column returns a list as the one parameter through which it travels to
// json_each, where each item is value->>0: databases differ in how they read bare
// items.
func Column[T any](items []T) (string, error) {
	column := make([][1]T, len(items))
	for i, item := range items {
		column[i][0] = item
	}
	return ToJSON(column)
}

// AmongIDs holds for a BIGINT that is one of the ids in the column of parameter $1.
const AmongIDs = `IN (SELECT CAST(value->>0 AS BIGINT) FROM json_each($1) AS j)`

// Among holds for a TEXT that is one of those in the column of a parameter.
func Among(parameter string) string {
	return `IN (SELECT value->>0 FROM json_each(` + parameter + `) AS j)`
}

// ToJSON returns the column value of v; also the parameter through which a list of
// objects or lists travels to json_each.
func ToJSON(v any) (string, error) {
	text, err := json.Marshal(v)
	return string(text), err
}

// AfterPrefix is the least text that sorts after all that begin with the prefix:
// together they bound a range of an index, where LIKE would read it whole.
func AfterPrefix(prefix string) string { return prefix + "\U0010FFFF" }
