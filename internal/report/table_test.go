package report_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"patrol/internal/collect"
	"patrol/internal/feed"
	"patrol/internal/fleet"
	"patrol/internal/match"
	"patrol/internal/report"
	"patrol/internal/risk"
	"patrol/internal/sbom"
)

func table(t *testing.T, r *report.Report) string {
	t.Helper()
	var out bytes.Buffer
	if err := report.Table(&out, r); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestTable(t *testing.T) {
	libssl := component("Debian:12", "libssl3", "3.0.11-1+b1", "openssl", "3.0.11-1")
	other := component("Debian:12", "libssl3t64", "3.0.14-1", "openssl", "3.0.14-1")
	tool := component("Debian:12", "openssl", "3.0.11-1", "openssl", "3.0.11-1")
	crate := component("crates.io", "ring", "0.16.0", "", "")
	r := &report.Report{
		Target: "dir:/srv/root",
		SBOM:   report.SBOM{Components: 4},
		Feed: report.Feed{Revision: "0123", Sources: []feed.Source{
			{Name: "osv/Debian", AsOf: time.Date(2026, 8, 20, 0, 0, 0, 0, time.UTC)},
			{Name: "osv/crates.io", AsOf: time.Date(2026, 8, 21, 0, 0, 0, 0, time.UTC)},
		}},
		Findings: []report.Finding{
			found("CVE-2099-0002", "openssl", libssl, risk.Unknown, "3.0.15-1", "3.0.16-1"),
			found("CVE-2099-0002", "openssl", other, risk.Unknown, "3.0.15-1", "3.0.16-1"),
			found("CVE-2099-0002", "openssl", tool, risk.Unknown, "3.0.15-1", "3.0.16-1"),
			found("CVE-2099-0001", "ring", crate, risk.Low),
			found("CVE-2099-0003", "ring", crate, risk.Critical),
		},
		NotAssessed: []match.NotAssessed{{Ecosystem: "amzn:2023", Reason: "the feed has no advisories for it"}},
		Warnings:    []collect.Warning{{Path: "var/lib/rpm", Message: "it cannot be read"}},
		Summary:     fleet.Counts{Critical: 1, Low: 1, Unknown: 1},
	}
	const want = `SEVERITY  VULNERABILITY  PACKAGE  INSTALLED  FIXED IN            ECOSYSTEM
critical  CVE-2099-0003  ring     0.16.0     -                   crates.io
low       CVE-2099-0001  ring     0.16.0     -                   crates.io
unknown   CVE-2099-0002  openssl  3.0.11-1   3.0.15-1, 3.0.16-1  Debian:12
unknown   CVE-2099-0002  openssl  3.0.14-1   3.0.15-1, 3.0.16-1  Debian:12

dir:/srv/root: 4 components; 1 critical, 1 low, 1 unknown
not assessed: amzn:2023: the feed has no advisories for it
warning: var/lib/rpm: it cannot be read
Matched against feed revision 0123 as of 2026-08-21.
`
	if got := table(t, r); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestTableOfNothing(t *testing.T) {
	got := table(t, &report.Report{Target: "dir:/", Feed: report.Feed{Sample: true, Sources: []feed.Source{
		{Name: "osv/Debian", AsOf: time.Date(2026, 8, 21, 0, 0, 0, 0, time.UTC)},
	}}})
	for _, text := range []string{"dir:/: 0 components; nothing found", "SAMPLE", "2026-08-21", "patrol feed update"} {
		if !strings.Contains(got, text) {
			t.Errorf("%q is not said in %q", text, got)
		}
	}
	if strings.Contains(got, "SEVERITY") {
		t.Errorf("a heading without a table: %q", got)
	}
}

// TestTableIsClean: the scanned tree is somebody else's, and so is the feed. None
// of their text reaches the terminal as a command, or breaks a line.
func TestTableIsClean(t *testing.T) {
	const evil = "a\x1b[2Jb\nc\td\re\x7ff\u009b1mg\xff"
	c := sbom.Component{Ecosystem: evil, Name: evil, Version: evil}
	got := table(t, &report.Report{
		Target:      evil,
		Findings:    []report.Finding{found(evil, evil, c, risk.High, evil)},
		NotAssessed: []match.NotAssessed{{Ecosystem: evil, Reason: evil}},
		Warnings:    []collect.Warning{{Path: evil, Message: evil}},
	})
	for _, r := range got {
		if r != '\n' && (r < ' ' || r >= 0x7f && r < 0xa0) {
			t.Errorf("%U in %q", r, got)
			break
		}
	}
	if lines := strings.Count(got, "\n"); lines != 7 {
		t.Errorf("%d lines, want 7: %q", lines, got)
	}
}

type fullDisk struct{}

var errFull = errors.New("no space left")

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }

func TestTableTellsThatItWasNotWritten(t *testing.T) {
	if err := report.Table(fullDisk{}, &report.Report{Target: "dir:/"}); !errors.Is(err, errFull) {
		t.Errorf("error %v", err)
	}
	if err := report.JSON(fullDisk{}, &report.Report{Target: "dir:/"}); !errors.Is(err, errFull) {
		t.Errorf("error %v", err)
	}
}
