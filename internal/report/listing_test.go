package report_test

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"iter"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"patrol/internal/fleet"
	"patrol/internal/report"
)

var moment = time.Date(2026, 5, 1, 12, 30, 0, 0, time.UTC)

func listing(rows ...[]any) *report.Listing {
	return &report.Listing{
		Title: "Vulnerability Scans", Facts: []report.Fact{{Name: "Scope", Value: "all – “scans”"}}, About: "Open now", Counts: &fleet.Counts{Critical: 3},
		Columns: []report.Column{{Name: "at", Width: 2}, {Name: "node", Width: 3}, {Name: "opened", Width: 1}, {Name: "share"}},
		Rows:    given(rows),
	}
}

func given(rows [][]any) iter.Seq2[[]any, error] {
	return func(yield func([]any, error) bool) {
		for _, row := range rows {
			if !yield(row, nil) {
				return
			}
		}
	}
}

// strange are names that strangers chose.
var strange = []string{"=HYPERLINK(\"http://evil\")", "+1", "-1", "@SUM(A1)", " =1", "a\x00b\x1b[31m", "<&>\"'", "日本…", strings.Repeat("long ", 10_000), "＝1", "]]>"}

func strangeRows() (rows [][]any) {
	for i, name := range strange {
		rows = append(rows, []any{moment, name, i - 1, 0.5})
	}
	return append(rows, []any{time.Time{}, "", nil, nil})
}

func TestListingCSV(t *testing.T) {
	var out bytes.Buffer
	if err := listing(strangeRows()...).WriteCSV(&out); err != nil {
		t.Fatal(err)
	}
	lines, err := csv.NewReader(&out).ReadAll()
	if err != nil || len(lines) != len(strange)+2 || !slices.Equal(lines[0], []string{"at", "node", "opened", "share"}) {
		t.Fatal(len(lines), err)
	}
	for i, line := range lines[1 : len(strange)+1] {
		if begins := strings.TrimLeft(line[1], " "); strings.ContainsAny(begins[:1], "=+-@") || strings.ContainsAny(line[1], "\x00\x1b") {
			t.Errorf("%q became %q", strange[i], line[1])
		}
		if line[0] != "2026-05-01T12:30:00Z" || line[3] != "0.5" {
			t.Errorf("line = %q", line)
		}
	}
	if lines[1][2] != "-1" {
		t.Errorf("a number is %q", lines[1][2])
	}
}

func TestListingXLSX(t *testing.T) {
	var out bytes.Buffer
	if err := listing(strangeRows()...).WriteXLSX(&out); err != nil {
		t.Fatal(err)
	}
	archive, err := zip.NewReader(bytes.NewReader(out.Bytes()), int64(out.Len()))
	if err != nil {
		t.Fatal(err)
	}
	var sheet struct {
		Rows []struct {
			Cells []struct {
				At    string  `xml:"r,attr"`
				Type  string  `xml:"t,attr"`
				Style string  `xml:"s,attr"`
				Value float64 `xml:"v"`
				Text  string  `xml:"is>t"`
				F     *string `xml:"f"`
			} `xml:"c"`
		} `xml:"sheetData>row"`
	}
	for _, part := range archive.File {
		f, err := part.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(f)
		if err != nil {
			t.Fatal(err)
		}
		into := any(new(struct{}))
		if part.Name == "xl/worksheets/sheet1.xml" {
			into = &sheet
		}
		if err := xml.Unmarshal(text, into); err != nil {
			t.Errorf("%s: %v", part.Name, err)
		}
	}
	if len(sheet.Rows) != len(strange)+2 || sheet.Rows[0].Cells[1].Text != "node" {
		t.Fatalf("%d rows", len(sheet.Rows))
	}
	for i, name := range strange {
		cells := sheet.Rows[i+1].Cells
		want := report.Clean(name)
		want = want[:min(len(want), 32_767)]
		if cells[1].Type != "inlineStr" || cells[1].F != nil || cells[1].Text != want || cells[2].Value != float64(i-1) {
			t.Errorf("%q became %+v", name, cells)
		}
		// 1 May 2026 is the 46143rd day.
		if cells[0].Style != "1" || math.Abs(cells[0].Value-46143-12.5/24) > 1e-9 {
			t.Errorf("a moment is %+v", cells[0])
		}
	}
	if last := sheet.Rows[len(strange)+1]; len(last.Cells) != 0 {
		t.Errorf("a row of nothing has %+v", last.Cells)
	}
}

func TestListingPDF(t *testing.T) {
	var out bytes.Buffer
	if err := listing(strangeRows()...).WritePDF(&out); err != nil {
		t.Fatal(err)
	}
	if text := out.String(); !strings.HasPrefix(text, "%PDF-1.") || !strings.HasSuffix(strings.TrimSpace(text), "%%EOF") {
		t.Errorf("it is no document: %.40q", text)
	}
	out.Reset()
	if err := listing().WritePDF(&out); err != nil || !strings.HasPrefix(out.String(), "%PDF") {
		t.Errorf("without rows: %v", err)
	}
}

// endless yields one row for ever.
func endless(row []any) iter.Seq2[[]any, error] {
	return func(yield func([]any, error) bool) {
		for yield(row, nil) {
			continue
		}
	}
}

func TestListingBounds(t *testing.T) {
	l := listing()
	l.Rows = endless([]any{nil, "", 1, nil})
	if err := l.WritePDF(io.Discard); err == nil || !strings.Contains(err.Error(), "room for") {
		t.Errorf("a document without end: %v", err)
	}
}

func TestListingThatBreaks(t *testing.T) {
	broken := errors.New("the database is gone")
	l := listing()
	l.Rows = func(yield func([]any, error) bool) {
		_ = yield([]any{moment, "a", 1, 0.5}, nil) && yield(nil, broken)
	}
	for name, write := range map[string]func(io.Writer) error{"csv": l.WriteCSV, "xlsx": l.WriteXLSX, "pdf": l.WritePDF} {
		if err := write(io.Discard); !errors.Is(err, broken) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWriteItems(t *testing.T) {
	for _, items := range [][]string{{}, {"a"}, {"a", "<b>"}} {
		var out bytes.Buffer
		err := report.WriteItems(&out, []report.Fact{{Name: "scope", Value: "all \"scans\""}}, func(yield func(string, error) bool) {
			for _, item := range items {
				if !yield(item, nil) {
					return
				}
			}
		})
		var read struct {
			Scope string   `json:"scope"`
			Items []string `json:"items"`
		}
		if err != nil || json.Unmarshal(out.Bytes(), &read) != nil || !slices.Equal(read.Items, items) || read.Scope != `all "scans"` {
			t.Errorf("%q became %s, %v", items, out.String(), err)
		}
	}
}
