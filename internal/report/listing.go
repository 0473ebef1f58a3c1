package report

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"strconv"
	"time"

	"patrol/internal/fleet"
)

// Listing is a table of any length, written row by row as rows come.
type Listing struct {
	Title string
	// Facts say what the rows are of, and when.
	Facts []Fact
	// Counts, if set, are told before the rows by what tells more than rows; About says
	// of what they are.
	Counts *fleet.Counts
	About  string
	// Columns name the cells of each row.
	Columns []Column
	Rows    iter.Seq2[[]any, error]
}

// Fact is a name with a value.
type Fact struct{ Name, Value string }

// Column is one of a listing. Width is its share of a page's width; what has none is
// left out where there are pages.
type Column struct {
	Name  string
	Width float64
}

// cellText is a cell as text: a moment in RFC 3339, and nothing for what is not known.
// Cells are strings, ints, float64s or times.
func cellText(cell any) string {
	switch v := cell.(type) {
	case string:
		return v
	case int:
		return strconv.Itoa(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case time.Time:
		if v.IsZero() {
			return ""
		}
		return v.UTC().Format(time.RFC3339)
	case nil:
		return ""
	default:
		return fmt.Sprint(v)
	}
}

// WriteCSV writes a listing's rows as lines (RFC 4180), of which a spreadsheet takes
// none for a formula.
func (l *Listing) WriteCSV(w io.Writer) error {
	lines := csv.NewWriter(w)
	record := make([]string, len(l.Columns))
	for i, c := range l.Columns {
		record[i] = c.Name
	}
	if err := lines.Write(record); err != nil {
		return err
	}
	for row, err := range l.Rows {
		if err != nil {
			return err
		}
		for i, cell := range row {
			if record[i] = cellText(cell); isText(cell) {
				record[i] = inert(record[i])
			}
		}
		if err := lines.Write(record); err != nil {
			return err
		}
	}
	lines.Flush()
	return lines.Error()
}

func isText(cell any) bool {
	_, ok := cell.(string)
	return ok
}

// WriteItems writes facts and items of any number as one JSON object,
// {…facts, "items": […]}, an item a line.
func WriteItems[T any](w io.Writer, facts []Fact, items iter.Seq2[T, error]) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	if _, err := io.WriteString(w, "{"); err != nil {
		return err
	}
	for _, f := range facts {
		name, err := json.Marshal(f.Name)
		if err != nil {
			return err
		}
		value, err := json.Marshal(f.Value)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(w, "%s: %s,\n", name, value); err != nil {
			return err
		}
	}
	separator := `"items": [` + "\n"
	for item, err := range items {
		if err != nil {
			return err
		}
		if _, err := io.WriteString(w, separator); err != nil {
			return err
		}
		if err := encoder.Encode(item); err != nil {
			return err
		}
		separator = ","
	}
	if separator != "," {
		if _, err := io.WriteString(w, separator); err != nil {
			return err
		}
	}
	_, err := io.WriteString(w, "]}\n")
	return err
}
