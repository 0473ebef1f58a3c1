package report

import (
	"fmt"
	"io"
	"strings"
	"time"

	"codeberg.org/go-pdf/fpdf"

	"patrol/internal/fleet"
)

// PDFRows is how many rows a document can have: its pages are in memory until it is
// written, and nobody reads more of them.
const PDFRows = 10_000

// The measures of a page, A4 across, in millimetres.
const (
	pdfMargin = 12.0
	pdfWidth  = 297 - 2*pdfMargin
	pdfLine   = 5.2
	pdfBottom = 210 - 14.0
)

// pdfColours are those of severities, worst first, as in the UI.
var pdfColours = map[string][3]int{
	"malicious": {112, 26, 117}, "critical": {185, 28, 28}, "high": {194, 65, 12}, "medium": {161, 98, 7}, "low": {29, 78, 216}, "unknown": {75, 85, 99},
}

// pdf is a document on its way. Its fonts are those that every reader has, which know
// the letters of western Europe: others become a question mark.
type pdf struct {
	*fpdf.Fpdf
	listing *Listing
	columns []int // those that have a width
	widths  []float64
}

// WritePDF writes a listing as a document: a page that says what it is, then the rows.
// Cells that are too long for their column are cut.
func (l *Listing) WritePDF(w io.Writer) error {
	p := &pdf{Fpdf: fpdf.New("L", "mm", "A4", ""), listing: l}
	p.SetTitle(l.Title, true)
	p.SetCreator("Patrol", true)
	p.SetMargins(pdfMargin, pdfMargin, pdfMargin)
	p.SetAutoPageBreak(false, 0)
	p.AliasNbPages("")
	p.SetFooterFunc(func() {
		p.SetXY(pdfMargin, pdfBottom+3)
		p.SetFont("Helvetica", "", 8)
		p.SetTextColor(107, 114, 128)
		p.CellFormat(pdfWidth, 5, fmt.Sprintf("%s, page %d of {nb}", latin(l.Title), p.PageNo()), "", 0, "R", false, 0, "")
	})
	total := 0.0
	for i, c := range l.Columns {
		if c.Width > 0 {
			p.columns, p.widths, total = append(p.columns, i), append(p.widths, c.Width), total+c.Width
		}
	}
	for i := range p.widths {
		p.widths[i] *= pdfWidth / total
	}
	p.first()
	if err := p.rows(); err != nil {
		return err
	}
	return p.Output(w)
}

// first is the page that says what the document is.
func (p *pdf) first() {
	p.AddPage()
	p.SetFont("Helvetica", "B", 24)
	p.SetTextColor(17, 24, 39)
	p.SetXY(pdfMargin, 40)
	p.CellFormat(pdfWidth, 12, latin(p.listing.Title), "", 1, "L", false, 0, "")
	p.Ln(4)
	for _, f := range p.listing.Facts {
		p.SetFont("Helvetica", "B", 10)
		p.CellFormat(45, 7, latin(f.Name), "", 0, "L", false, 0, "")
		p.SetFont("Helvetica", "", 10)
		p.MultiCell(pdfWidth-45, 7, latin(f.Value), "", "L", false)
	}
	if p.listing.Counts != nil {
		p.counts(*p.listing.Counts)
	}
}

// counts draws a box for each severity.
func (p *pdf) counts(c fleet.Counts) {
	p.Ln(6)
	p.SetFont("Helvetica", "B", 10)
	p.SetTextColor(17, 24, 39)
	p.CellFormat(pdfWidth, 8, latin(p.listing.About), "", 1, "L", false, 0, "")
	const width, gap = 38.0, 4.0
	y := p.GetY() + 2
	for i, s := range severityCounts(c) {
		x := pdfMargin + float64(i)*(width+gap)
		rgb := pdfColours[s.Name]
		p.SetFillColor(rgb[0], rgb[1], rgb[2])
		p.SetTextColor(255, 255, 255)
		p.SetXY(x, y)
		p.SetFont("Helvetica", "B", 18)
		p.CellFormat(width, 13, fmt.Sprint(s.Count), "", 2, "C", true, 0, "")
		p.SetFont("Helvetica", "", 10)
		p.CellFormat(width, 7, s.Name, "", 0, "C", true, 0, "")
	}
}

func (p *pdf) header() {
	p.AddPage()
	p.SetXY(pdfMargin, pdfMargin)
	p.SetFont("Helvetica", "B", 8)
	p.SetFillColor(31, 41, 55)
	p.SetTextColor(255, 255, 255)
	for i, column := range p.columns {
		p.CellFormat(p.widths[i], pdfLine+1.5, p.fit(strings.ReplaceAll(p.listing.Columns[column].Name, "_", " "), p.widths[i]), "", 0, "L", true, 0, "")
	}
	p.Ln(-1)
	p.SetFont("Helvetica", "", 8)
	p.SetTextColor(17, 24, 39)
	p.SetFillColor(243, 244, 246)
}

func (p *pdf) rows() error {
	n := 0
	for row, err := range p.listing.Rows {
		if err != nil {
			return err
		}
		if n == PDFRows {
			return fmt.Errorf("a document has room for %d rows", PDFRows)
		}
		if n == 0 || p.GetY()+pdfLine > pdfBottom {
			p.header()
		}
		for i, column := range p.columns {
			p.cell(row[column], p.widths[i], n%2 == 1)
		}
		p.Ln(-1)
		n++
	}
	if n == 0 {
		p.Ln(20)
		p.SetFont("Helvetica", "", 10)
		p.SetTextColor(17, 24, 39)
		p.CellFormat(pdfWidth, 8, "There is nothing to list.", "", 1, "L", false, 0, "")
	}
	return nil
}

func (p *pdf) cell(cell any, width float64, shaded bool) {
	text, align := cellText(cell), "L"
	switch v := cell.(type) {
	case int, float64:
		align = "R"
	case time.Time:
		if text = ""; !v.IsZero() {
			text = v.UTC().Format("2006-01-02 15:04")
		}
	}
	if rgb, ok := pdfColours[text]; ok {
		p.SetTextColor(rgb[0], rgb[1], rgb[2])
		defer p.SetTextColor(17, 24, 39)
	}
	p.CellFormat(width, pdfLine, p.fit(text, width), "", 0, align, shaded, 0, "")
}

// fit cuts a text to a width.
func (p *pdf) fit(text string, width float64) string {
	text = latin(text)
	room := width - 2*p.GetCellMargin()
	if p.GetStringWidth(text) <= room {
		return text
	}
	const dots = "\x85" // … in Windows-1252
	for len(text) > 0 && p.GetStringWidth(text+dots) > room {
		text = text[:len(text)-1]
	}
	return text + dots
}

// latin is a text in Windows-1252, which the fonts are in.
func latin(text string) string {
	var out strings.Builder
	for _, r := range Clean(text) {
		switch {
		case r < 0x80, r >= 0xa0 && r <= 0xff:
			out.WriteByte(byte(r))
		case r == '…':
			out.WriteByte(0x85)
		case r == '–', r == '—':
			out.WriteByte('-')
		default:
			out.WriteByte('?')
		}
	}
	return out.String()
}
