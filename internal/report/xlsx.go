package report

import (
	"archive/zip"
	"encoding/xml"
	"fmt"
	"io"
	"strconv"
	"time"
)

// XLSXRows is how many rows a sheet can have (ECMA-376, as Excel limits it), less its
// header.
const XLSXRows = 1<<20 - 1

// cellChars is how many characters Excel takes in a cell.
const cellChars = 32_767

// xlsxParts are the parts of a workbook of one sheet that are the same in each: the
// least that ECMA-376 asks for, with a style for moments and one for the header.
var xlsxParts = []struct{ name, text string }{
	{"[Content_Types].xml", `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/><Override PartName="/xl/styles.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.styles+xml"/><Override PartName="/xl/worksheets/sheet1.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/></Types>`},
	{"_rels/.rels", `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>`},
	{"xl/workbook.xml", `<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="Patrol" sheetId="1" r:id="rId1"/></sheets></workbook>`},
	{"xl/_rels/workbook.xml.rels", `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="rId2" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/styles" Target="styles.xml"/></Relationships>`},
	{"xl/styles.xml", `<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><numFmts count="1"><numFmt numFmtId="164" formatCode="yyyy\-mm\-dd\ hh:mm:ss"/></numFmts><fonts count="2"><font><sz val="11"/><name val="Calibri"/></font><font><b/><sz val="11"/><name val="Calibri"/></font></fonts><fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill></fills><borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders><cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs><cellXfs count="3"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/><xf numFmtId="164" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/><xf numFmtId="0" fontId="1" fillId="0" borderId="0" xfId="0" applyFont="1"/></cellXfs></styleSheet>`},
}

// The styles of cells, by their place in cellXfs.
const (
	xlsxMoment = 1
	xlsxHeader = 2
)

// WriteXLSX writes a listing's rows as a workbook of one sheet, its first row frozen.
// It keeps none of them. Text is written as text, which is never a formula.
func (l *Listing) WriteXLSX(w io.Writer) error {
	archive := zip.NewWriter(w)
	for _, part := range xlsxParts {
		to, err := archive.Create(part.name)
		if err != nil {
			return err
		}
		if _, err := io.WriteString(to, xml.Header+part.text); err != nil {
			return err
		}
	}
	to, err := archive.Create("xl/worksheets/sheet1.xml")
	if err != nil {
		return err
	}
	s := &sheet{w: to}
	s.print(xml.Header + `<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetViews><sheetView workbookViewId="0"><pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews><sheetData>`)
	header := make([]any, len(l.Columns))
	for i, c := range l.Columns {
		header[i] = c.Name
	}
	s.row(header, xlsxHeader)
	for row, err := range l.Rows {
		if err != nil {
			return err
		}
		if s.rows > XLSXRows {
			return fmt.Errorf("a sheet has room for %d rows", XLSXRows)
		}
		if s.row(row, 0); s.err != nil {
			return s.err
		}
	}
	s.print(`</sheetData></worksheet>`)
	if s.err != nil {
		return s.err
	}
	return archive.Close()
}

// sheet writes the rows of a worksheet; the first error stays.
type sheet struct {
	w    io.Writer
	rows int
	err  error
}

func (s *sheet) print(text string) {
	if s.err == nil {
		_, s.err = io.WriteString(s.w, text)
	}
}

func (s *sheet) row(cells []any, style int) {
	s.rows++
	s.print(`<row r="` + strconv.Itoa(s.rows) + `">`)
	for i, cell := range cells {
		at := `<c r="` + columnName(i) + strconv.Itoa(s.rows) + `"`
		switch v := cell.(type) {
		case int, float64:
			s.print(at + `><v>` + cellText(v) + `</v></c>`)
		case time.Time:
			if !v.IsZero() {
				s.print(at + ` s="` + strconv.Itoa(xlsxMoment) + `"><v>` + strconv.FormatFloat(serial(v), 'f', -1, 64) + `</v></c>`)
			}
		default:
			text := []rune(cellText(v))
			if len(text) == 0 {
				continue
			}
			s.print(at + ` s="` + strconv.Itoa(style) + `" t="inlineStr"><is><t xml:space="preserve">`)
			if s.err == nil {
				// What XML cannot hold becomes U+FFFD.
				s.err = xml.EscapeText(s.w, []byte(Clean(string(text[:min(len(text), cellChars)]))))
			}
			s.print(`</t></is></c>`)
		}
	}
	s.print(`</row>`)
}

// serial is a moment as days since the last of 1899, as sheets count them.
func serial(t time.Time) float64 {
	return float64(t.UnixMilli())/86_400_000 + 25_569
}

// columnName is A, B, … Z, AA and so on.
func columnName(i int) string {
	name := ""
	for i++; i > 0; i = (i - 1) / 26 {
		name = string(rune('A'+(i-1)%26)) + name
	}
	return name
}
