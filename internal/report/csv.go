package report

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"
)

// csvFormat writes one line a finding (RFC 4180), for spreadsheets. Those that
// are ignored have why in the last column.
type csvFormat struct{ w *csv.Writer }

func newCSV(w io.Writer, _ Options) Format { return &csvFormat{csv.NewWriter(w)} }

var csvColumns = []string{
	"severity", "vulnerability", "aliases", "ecosystem", "package", "component", "version", "fixed",
	"cvss_score", "cvss_vector", "epss", "kev", "purl", "locations", "layer", "advisories", "summary", "ignored",
}

func (c *csvFormat) Begin(*Head) error { return c.w.Write(csvColumns) }

func (c *csvFormat) Finding(f *Finding) error { return c.line(f, "") }

func (c *csvFormat) End(t *Tail) error {
	for i := range t.Ignored {
		if err := c.line(&t.Ignored[i].Finding, strings.TrimSuffix(t.Ignored[i].By+": "+t.Ignored[i].Reason, ": ")); err != nil {
			return err
		}
	}
	c.w.Flush()
	return c.w.Error()
}

func (c *csvFormat) line(f *Finding, ignored string) error {
	var score, vector, epss, kev, layer string
	if len(f.CVSS) > 0 {
		score, vector = strconv.FormatFloat(f.CVSS[0].Score, 'f', 1, 64), f.CVSS[0].Vector
	}
	if f.EPSS != nil {
		epss = strconv.FormatFloat(*f.EPSS, 'f', -1, 64)
	}
	if f.KEV != nil {
		kev = strconv.FormatBool(*f.KEV)
	}
	if f.Component.Layer != nil {
		layer = f.Component.Layer.Digest
	}
	record := []string{
		string(f.Severity), f.Vulnerability, join(f.Aliases), f.Component.Ecosystem, f.Package, f.Component.Name, f.Component.Version, join(f.Fixed),
		score, vector, epss, kev, f.Component.PURL, join(f.Component.Locations), layer, join(f.Advisories), f.Summary, ignored,
	}
	for i, text := range record {
		record[i] = inert(text)
	}
	return c.w.Write(record)
}

func join(list []string) string { return strings.Join(list, " ") }

// inert keeps a spreadsheet from taking text for a formula: an apostrophe in
// front of what begins as one (OWASP, "CSV Injection"). Leading white space does
// not hide it.
func inert(text string) string {
	text = Clean(strings.NewReplacer("\t", " ", "\r", " ", "\n", " ").Replace(text))
	if begins := strings.TrimLeft(text, " "); begins != "" && strings.ContainsRune("=+-@＝＋－＠", []rune(begins)[0]) {
		return "'" + text
	}
	return text
}
