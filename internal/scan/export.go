package scan

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"

	"patrol/internal/collect"
	"patrol/internal/finding"
	"patrol/internal/fleet"
	"patrol/internal/platform/db"
	"patrol/internal/platform/problem"
	"patrol/internal/platform/rest"
	"patrol/internal/report"
)

// ExportQuery says in which format something is exported.
type ExportQuery struct {
	Format string `query:"format" required:"true" enum:"csv,json,xlsx,pdf,sarif"`
}

// SARIFRuns is how many scans one SARIF log may hold, a run each: who reads them takes
// few. GitHub takes twenty.
const SARIFRuns = 100

// exportPage is how many entries are read at once: what an export has in memory.
const exportPage = 500

// Export is something to be written in one format. To begin it is to have found that it
// can be written.
type Export struct {
	Name, Type string
	Write      func(ctx context.Context, w io.Writer) error
}

// types are the media types of formats.
var types = map[string]string{
	"csv": "text/csv; charset=utf-8", "json": "application/json", "pdf": "application/pdf", "sarif": "application/sarif+json",
	"xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}

// ExportReport exports the entries that a query means, as they come. A sheet, a document
// and a SARIF log have room for so many; more are refused.
func (s *Service) ExportReport(ctx context.Context, q ReportQuery, format string) (Export, error) {
	if format == "sarif" {
		q.Kind, q.State = KindScan, Complete // of others there are no findings
	}
	out := Export{Name: "vulnerability-scans." + format, Type: types[format]}
	if most := map[string]int{"xlsx": report.XLSXRows, "pdf": report.PDFRows, "sarif": SARIFRuns}[format]; most > 0 {
		if err := s.atMost(ctx, q, format, most); err != nil {
			return out, err
		}
	}
	listing, err := s.listingOf(ctx, q)
	if err != nil {
		return out, err
	}
	out.Write = func(ctx context.Context, w io.Writer) error {
		listing.Rows = rowsOf(s.entries(ctx, q))
		switch format {
		case "csv":
			return listing.WriteCSV(w)
		case "xlsx":
			return listing.WriteXLSX(w)
		case "pdf":
			return listing.WritePDF(w)
		case "sarif":
			return report.WriteSARIF(w, s.reports(ctx, q))
		default:
			return report.WriteItems(w, []report.Fact{{Name: "title", Value: listing.Title}, {Name: "scope", Value: q.String()}, {Name: "at", Value: s.now().UTC().Format(time.RFC3339)}}, s.entries(ctx, q))
		}
	}
	return out, nil
}

// atMost refuses what a format has no room for.
func (s *Service) atMost(ctx context.Context, q ReportQuery, format string, most int) error {
	scope, err := s.fleet.Scope(ctx)
	if err != nil {
		return err
	}
	before := newest{At: 1<<63 - 1}
	if !q.To.IsZero() {
		before = newest{At: q.To.UnixMicro()}
	}
	n := 0
	if q.scans() {
		var args arguments
		from, err := s.newestScans(ctx, &args, q, scope, before, most+1)
		if err != nil {
			return err
		}
		if from != "" {
			if err := s.db.Read().QueryRowContext(ctx, `SELECT count(*) FROM (`+from+`) AS newest`, args...).Scan(&n); err != nil {
				return fmt.Errorf("count what is exported: %w", err)
			}
		}
	}
	if n <= most && q.rematches() && scope.Column == fleet.All {
		rematches, err := s.reportRematches(ctx, q, before, most+1-n)
		if err != nil {
			return err
		}
		n += len(rematches)
	}
	if n > most {
		return problem.Invalid("format", "%s has room for %d lines, and this report is longer: narrow it with from and to, or take csv or json, which have no bound", format, most)
	}
	return nil
}

// entries reads a report page by page.
func (s *Service) entries(ctx context.Context, q ReportQuery) iter.Seq2[ReportEntry, error] {
	return paged(func(p rest.Paging) (rest.Page[ReportEntry], error) { return s.Report(ctx, q, p) })
}

// paged reads all pages of a list, one after another.
func paged[T any](read func(rest.Paging) (rest.Page[T], error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for p := (rest.Paging{Limit: exportPage}); ; {
			page, err := read(p)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, item := range page.Items {
				if !yield(item, nil) {
					return
				}
			}
			if p.Cursor = page.Next; p.Cursor == "" {
				return
			}
		}
	}
}

// listingOf is the report without its rows.
func (s *Service) listingOf(ctx context.Context, q ReportQuery) (*report.Listing, error) {
	l := &report.Listing{
		Title: "Vulnerability Scans",
		Facts: []report.Fact{{Name: "Scope", Value: q.String()}, {Name: "Made", Value: s.now().UTC().Format("2006-01-02 15:04:05 UTC")}},
		About: "Open now", Counts: new(fleet.Counts),
	}
	for _, c := range entryColumns {
		l.Columns = append(l.Columns, c.Column)
	}
	scope, err := s.fleet.Scope(ctx)
	if err != nil {
		return nil, err
	}
	row := s.db.Read().QueryRowContext(ctx, `SELECT COALESCE(CAST(json_group_object(severity, open) AS TEXT), '{}') FROM (
		SELECT severity, CAST(sum(open) AS BIGINT) AS open FROM node_count
		WHERE ($1 = 'null' OR node_id `+db.Among(`$1`)+`) AND ($2 = '' OR node_id = $2) GROUP BY severity) AS counted`, scope.Column, q.Node)
	if err := row.Scan(db.JSON{Into: l.Counts}); err != nil {
		return nil, fmt.Errorf("count what is open: %w", err)
	}
	return l, nil
}

// String says what a report is of.
func (q ReportQuery) String() string {
	var parts []string
	for _, part := range []struct{ name, value string }{
		{"kind", q.Kind},
		{"trigger", q.Trigger},
		{"node", q.Node},
		{"kind of node", q.NodeKind},
		{"state", q.State},
		{"schedule", q.Schedule},
		{"run", q.Run},
		{"from", momentOf(q.From)},
		{"to", momentOf(q.To)},
		{"at least", q.Worst},
	} {
		if part.value != "" {
			parts = append(parts, part.name+" "+part.value)
		}
	}
	if q.Changed {
		parts = append(parts, "what changed something")
	}
	return cmp.Or(strings.Join(parts, ", "), "all scans and re-matches")
}

func momentOf(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// entryColumn is a column of the report with its cells.
type entryColumn struct {
	report.Column
	cell func(e *ReportEntry) any
}

// entryColumns are all of them; those with a width stand in documents.
var entryColumns = []entryColumn{
	{report.Column{Name: "at", Width: 30}, func(e *ReportEntry) any { return e.At }},
	{report.Column{Name: "kind", Width: 18}, func(e *ReportEntry) any { return e.Kind }},
	{report.Column{Name: "trigger", Width: 22}, func(e *ReportEntry) any { return e.Trigger }},
	{report.Column{Name: "state", Width: 18}, func(e *ReportEntry) any { return e.State }},
	{report.Column{Name: "node", Width: 44}, func(e *ReportEntry) any { return e.node().Name }},
	{report.Column{Name: "node_kind", Width: 22}, func(e *ReportEntry) any { return e.node().Kind }},
	{report.Column{Name: "node_id"}, func(e *ReportEntry) any { return e.node().ID }},
	{report.Column{Name: "schedule"}, func(e *ReportEntry) any { return e.schedule().Name }},
	{report.Column{Name: "run"}, func(e *ReportEntry) any { return e.Run }},
	{report.Column{Name: "malicious", Width: 20}, found(func(c *fleet.Counts) int { return c.Malicious })},
	{report.Column{Name: "critical", Width: 18}, found(func(c *fleet.Counts) int { return c.Critical })},
	{report.Column{Name: "high", Width: 12}, found(func(c *fleet.Counts) int { return c.High })},
	{report.Column{Name: "medium", Width: 18}, found(func(c *fleet.Counts) int { return c.Medium })},
	{report.Column{Name: "low", Width: 12}, found(func(c *fleet.Counts) int { return c.Low })},
	{report.Column{Name: "unknown", Width: 20}, found(func(c *fleet.Counts) int { return c.Unknown })},
	{report.Column{Name: "opened", Width: 17}, func(e *ReportEntry) any { return e.Opened }},
	{report.Column{Name: "resolved", Width: 20}, func(e *ReportEntry) any { return e.Resolved }},
	{report.Column{Name: "unchanged", Width: 23}, func(e *ReportEntry) any { return e.Unchanged }},
	{report.Column{Name: "components", Width: 25}, func(e *ReportEntry) any { return e.Components }},
	{report.Column{Name: "feed_revision"}, func(e *ReportEntry) any { return e.feed().Revision }},
	{report.Column{Name: "engine"}, func(e *ReportEntry) any { return e.Engine }},
	{report.Column{Name: "started_at"}, func(e *ReportEntry) any { return e.StartedAt }},
	{report.Column{Name: "finished_at"}, func(e *ReportEntry) any { return e.FinishedAt }},
	{report.Column{Name: "duration_seconds"}, func(e *ReportEntry) any { return e.Duration }},
	{report.Column{Name: "document_digest"}, func(e *ReportEntry) any { return e.DocumentDigest }},
	{report.Column{Name: "inventory_digest"}, func(e *ReportEntry) any { return e.InventoryDigest }},
	{report.Column{Name: "error"}, func(e *ReportEntry) any { return e.Error }},
	{report.Column{Name: "id"}, func(e *ReportEntry) any { return e.ID }},
}

// found is a cell of what a scan found: empty where nothing was looked for.
func found(of func(*fleet.Counts) int) func(*ReportEntry) any {
	return func(e *ReportEntry) any {
		if e.Counts == nil {
			return nil
		}
		return of(e.Counts)
	}
}

func (e *ReportEntry) node() fleet.NodeName {
	if e.Node == nil {
		return fleet.NodeName{Name: "all nodes"}
	}
	return *e.Node
}

func (e *ReportEntry) schedule() Named {
	if e.Schedule == nil {
		return Named{}
	}
	return *e.Schedule
}

func (e *ReportEntry) feed() Feed {
	if e.Feed == nil {
		return Feed{}
	}
	return *e.Feed
}

func rowsOf(entries iter.Seq2[ReportEntry, error]) iter.Seq2[[]any, error] {
	return func(yield func([]any, error) bool) {
		for e, err := range entries {
			row := make([]any, len(entryColumns))
			for i, c := range entryColumns {
				row[i] = c.cell(&e)
			}
			if !yield(row, err) || err != nil {
				return
			}
		}
	}
}

// reports reads what scans found, one scan at a time.
func (s *Service) reports(ctx context.Context, q ReportQuery) iter.Seq2[report.Named, error] {
	return func(yield func(report.Named, error) bool) {
		for e, err := range s.entries(ctx, q) {
			var r report.Named
			if err == nil {
				r.Name = "patrol/" + e.node().Name + "/" + e.ID
				r.Report, err = s.reportOf(ctx, e.ID)
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// ExportScan exports what one complete scan found. Its JSON and SARIF are those of
// patrol scan.
func (s *Service) ExportScan(ctx context.Context, id, format string) (Export, error) {
	out := Export{Name: "scan-" + id + "." + format, Type: types[format]}
	scan, err := s.Get(ctx, id)
	if err != nil {
		return out, err
	}
	if scan.State != Complete {
		return out, problem.Conflict("the scan is %s: only a complete one has something to export", scan.State)
	}
	if most := map[string]int{"xlsx": report.XLSXRows, "pdf": report.PDFRows}[format]; most > 0 {
		// A line is a finding in a component, while the scan's counts are of packages.
		row := s.db.Read().QueryRowContext(ctx, `SELECT count(*) FROM scan AS s JOIN result_finding AS r ON r.result_id = s.result_id WHERE s.id = $1`, id)
		n, err := db.One(row, db.Value[int])
		if err != nil {
			return out, fmt.Errorf("count what scan %s found: %w", id, err)
		}
		if n > most {
			return out, problem.Invalid("format", "%s has room for %d lines, and this scan has %d: take csv or json, which have no bound", format, most, n)
		}
	}
	out.Write = func(ctx context.Context, w io.Writer) error {
		r, err := s.reportOf(ctx, id)
		if err != nil {
			return err
		}
		switch format {
		case "xlsx", "pdf":
			listing := findingsOf(r, scan)
			if format == "pdf" {
				return listing.WritePDF(w)
			}
			return listing.WriteXLSX(w)
		}
		f, err := report.NewFormat(format, w, report.Options{})
		if err != nil {
			return err
		}
		return r.Write(f)
	}
	return out, nil
}

// reportOf is what a scan found, as patrol scan tells it. It is as long as one SBOM
// makes it.
func (s *Service) reportOf(ctx context.Context, id string) (*report.Report, error) {
	scan, err := s.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	r := &report.Report{
		Head: report.Head{
			Target: scan.Node.Name, SBOM: report.SBOM{InventoryDigest: scan.InventoryDigest, Components: scan.Components},
			Engine: scan.Engine, At: scan.FinishedAt,
		},
		Findings: []report.Finding{},
		Tail: report.Tail{
			Ignored: []report.Ignored{}, NotAssessed: scan.NotAssessed, Warnings: append([]collect.Warning{}, scan.Warnings...), Summary: scan.Counts,
		},
	}
	if scan.Feed != nil {
		r.Feed.Revision, r.Feed.Sample = scan.Feed.Revision, scan.Feed.Sample
	}
	r.Feed.Sources = orEmpty(r.Feed.Sources)
	for f, err := range paged(func(p rest.Paging) (rest.Page[finding.Finding], error) {
		return s.findings.List(ctx, finding.Query{Scan: id}, p)
	}) {
		if err != nil {
			return nil, fmt.Errorf("read what scan %s found: %w", id, err)
		}
		r.Findings = append(r.Findings, report.Finding{Finding: f})
	}
	return r, nil
}

// findingsOf is what a scan found as a listing.
func findingsOf(r *report.Report, scan Scan) *report.Listing {
	l := &report.Listing{
		Title: "Scan of " + scan.Node.Name,
		Facts: []report.Fact{
			{Name: "Node", Value: scan.Node.Name + " (" + scan.Node.Kind + ")"},
			{Name: "Scan", Value: scan.ID},
			{Name: "Finished", Value: scan.FinishedAt.UTC().Format("2006-01-02 15:04:05 UTC")},
			{Name: "Components", Value: fmt.Sprint(scan.Components)},
			{Name: "Feed revision", Value: r.Feed.Revision},
			{Name: "Inventory", Value: scan.InventoryDigest},
			{Name: "Changed", Value: fmt.Sprintf("%d opened, %d resolved, %d unchanged", scan.Opened, scan.Resolved, scan.Unchanged)},
		},
		Counts: &scan.Counts, About: "Found, each vulnerability once in each package",
		Columns: []report.Column{
			{Name: "severity", Width: 18},
			{Name: "vulnerability", Width: 36},
			{Name: "package", Width: 32},
			{Name: "component", Width: 36},
			{Name: "version", Width: 34},
			{Name: "fixed", Width: 36},
			{Name: "ecosystem", Width: 26},
			{Name: "cvss", Width: 14},
			{Name: "epss", Width: 14},
			{Name: "exploited", Width: 20},
			{Name: "purl"},
			{Name: "locations"},
			{Name: "advisories"},
			{Name: "summary", Width: 54},
		},
	}
	if r.Feed.Sample {
		l.Facts = append(l.Facts, report.Fact{Name: "Note", Value: "only the built-in sample of the feed was there to match against"})
	}
	for _, n := range scan.NotAssessed {
		l.Facts = append(l.Facts, report.Fact{Name: "Not assessed", Value: n.Ecosystem + ": " + n.Reason})
	}
	l.Rows = func(yield func([]any, error) bool) {
		for i := range r.Findings {
			f := &r.Findings[i]
			var score, epss any
			if v, ok := f.Score(); ok {
				score = v
			}
			if f.EPSS != nil {
				epss = *f.EPSS
			}
			exploited := ""
			if f.Exploited() {
				exploited = "yes"
			}
			row := []any{
				string(f.Severity), f.Vulnerability, f.Package, f.Component.Name, f.Component.Version, strings.Join(f.Fixed, " "), f.Component.Ecosystem,
				score, epss, exploited, f.Component.PURL, strings.Join(f.Component.Locations, " "), strings.Join(f.Advisories, " "), f.Summary,
			}
			if !yield(row, nil) {
				return
			}
		}
	}
	return l
}
