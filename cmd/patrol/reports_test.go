package main_test

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"patrol/internal/finding"
	"patrol/internal/fleet"
	"patrol/internal/scan"
)

func TestReportsOnTheCommandLine(t *testing.T) {
	dir := t.TempDir()
	_, c := console(t, dir, filepath.Join(dir, "nowhere"), "127.0.0.1:0")
	root := filepath.Join(dir, "root")
	if err := os.CopyFS(root, os.DirFS(fixture)); err != nil {
		t.Fatal(err)
	}
	agent(t, c, filepath.Join(dir, "agent"), root)
	eventually(t, "the node", func() bool { return len(all[fleet.Node](t, c, "nodes", nil)) == 1 })
	ask := func(args ...string) (out, errs string, code int) {
		t.Helper()
		return run(t, append(args, "--console", c.Console.String(), "--token", c.Token)...)
	}
	patrol := func(args ...string) string {
		t.Helper()
		out, errs, code := ask(args...)
		if code != 0 {
			t.Fatalf("patrol %s: exit %d, %s", strings.Join(args, " "), code, errs)
		}
		return out
	}
	begun := decode[[]scan.Scan](t, patrol("scans", "start", "--select", "true", "--wait", "--output", "json"))
	if len(begun) != 1 || begun[0].State != scan.Complete || begun[0].Opened == 0 {
		t.Fatalf("scans = %+v", begun)
	}
	// A package is removed.
	status := filepath.Join(root, "var/lib/dpkg/status")
	text, err := os.ReadFile(status)
	if err != nil {
		t.Fatal(err)
	}
	var kept []string
	for paragraph := range strings.SplitSeq(string(text), "\n\n") {
		if !strings.HasPrefix(paragraph, "Package: libexpat1\n") {
			kept = append(kept, paragraph)
		}
	}
	if err := os.WriteFile(status, []byte(strings.Join(kept, "\n\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	_, errs, code := ask("scans", "start", begun[0].Node.ID, "--wait", "--fail-on", "unknown")
	if code != 2 || !strings.Contains(errs, "the policy says fail") {
		t.Errorf("with a policy: exit %d, %s", code, errs)
	}
	// Who waits asks of what it began alone, however much else goes on.
	asked := make(chan *url.URL, 1000)
	proxy := httputil.NewSingleHostReverseProxy(c.Console)
	between := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			asked <- r.URL
		}
		proxy.ServeHTTP(w, r)
	}))
	_, errs, code = run(t, "scans", "start", begun[0].Node.ID, "--wait", "--console", between.URL, "--token", c.Token)
	between.Close()
	if close(asked); code != 0 || len(asked) == 0 {
		t.Errorf("exit %d after %d questions: %s", code, len(asked), errs)
	}
	for u := range asked {
		if u.Path != "/api/v1/scans" || len(strings.Split(u.Query().Get("ids"), ",")) != 1 || u.Query().Get("ids") == "" {
			t.Errorf("it asked for %s; want the scan that it began", u)
		}
	}
	entries := decode[[]scan.ReportEntry](t, patrol("reports", "vulnerability-scans", "--kind", "scan", "--state", "complete", "--output", "json"))
	last := entries[0]
	var resolved int
	for _, e := range entries[:len(entries)-1] {
		resolved += e.Resolved
	}
	if len(entries) < 2 || resolved == 0 || last.Unchanged+resolved != begun[0].Opened {
		t.Errorf("the report has %+v", entries)
	}
	if out := patrol("reports", "vulnerability-scans", "--changed", "--limit", "1"); !strings.Contains(out, "complete") || strings.Count(out, "\n") != 2 {
		t.Errorf("the table is\n%s", out)
	}
	compared := patrol("scans", "compare", begun[0].ID, last.ID)
	if !strings.Contains(compared, "0 opened, ") || !strings.Contains(compared, "1 removed") || !strings.Contains(compared, "CVE-2024-28757") {
		t.Errorf("compared:\n%s", compared)
	}
	if c := decode[scan.Comparison](t, patrol("scans", "compare", begun[0].ID, last.ID, "--output", "json")); len(c.Items) != resolved || c.Resolved != resolved {
		t.Errorf("%d items, and %d resolved; want %d", len(c.Items), c.Resolved, resolved)
	}
	if out := patrol("scans", "changes", last.ID, "--change", "unchanged", "--output", "json"); len(decode[[]scan.OccurrenceChange](t, out)) != last.Unchanged {
		t.Errorf("unchanged: %.300s", out)
	}
	if out := patrol("reports", "trend"); !strings.Contains(out, "OPEN SINCE") || !strings.Contains(out, "FIXED") {
		t.Errorf("trend:\n%s", out)
	}
	trend := decode[finding.Trend](t, patrol("reports", "trend", "--output", "json"))
	if open := all[finding.Occurrence](t, c, "occurrences", url.Values{"overdue": {"false"}}); trend.Open.Unknown != len(open) || open[0].DueAt.IsZero() {
		t.Errorf("%d are open, and the trend says %+v", len(open), trend.Open)
	}
	for format, begins := range map[string]string{"csv": "at,", "json": "{", "xlsx": "PK", "pdf": "%PDF", "sarif": "{"} {
		file := filepath.Join(dir, "report."+format)
		patrol("reports", "vulnerability-scans", "--export", format+"="+file)
		written, err := os.ReadFile(file)
		if err != nil || !strings.HasPrefix(string(written), begins) {
			t.Errorf("%s begins %.10q, %v", format, written, err)
		}
		patrol("scans", "export", last.ID, file, "--format", format)
	}
	for says, refused := range map[string][]string{
		"FORMAT=FILE":     {"reports", "vulnerability-scans", "--export", "csv"},
		"format":          {"reports", "vulnerability-scans", "--export", "doc=" + filepath.Join(dir, "x.doc")},
		"no scan":         {"scans", "compare", last.ID, "none"},
		"add --wait":      {"scans", "start", "--select", "true", "--fail-on", "high"},
		"name nodes, or":  {"scans", "start"},
		"there is no nod": {"scans", "start", "none"},
		"--from":          {"reports", "trend", "--from", "soon"},
	} {
		if out, errs, code := ask(refused...); code != 1 || !strings.Contains(errs, says) {
			t.Errorf("patrol %s: exit %d, %s%s; want it to say %q", strings.Join(refused, " "), code, out, errs, says)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "x.doc")); err == nil {
		t.Error("an export that was refused left a file")
	}
}
