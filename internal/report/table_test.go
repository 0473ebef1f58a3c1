package report_test

import (
	"bytes"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"patrol/internal/collect"
	"patrol/internal/feed"
	"patrol/internal/fleet"
	"patrol/internal/match"
	"patrol/internal/report"
	"patrol/internal/risk"
)

func table(t *testing.T, r *report.Report) string {
	t.Helper()
	return written(t, "table", r)
}

func TestTable(t *testing.T) {
	libssl := component("Debian:12", "libssl3", "3.0.11-1+b1", "openssl", "3.0.11-1")
	other := component("Debian:12", "libssl3t64", "3.0.14-1", "openssl", "3.0.14-1")
	tool := component("Debian:12", "openssl", "3.0.11-1", "openssl", "3.0.11-1")
	crate := component("crates.io", "ring", "0.16.0", "", "")
	r := &report.Report{
		Head: report.Head{
			Target: "dir:/srv/root",
			SBOM:   report.SBOM{Components: 4},
			Feed: report.Feed{Revision: "0123", Sources: []feed.Source{
				{Name: "epss", AsOf: time.Date(2026, 8, 22, 0, 0, 0, 0, time.UTC)},
				{Name: "osv/Debian", AsOf: time.Date(2026, 8, 20, 0, 0, 0, 0, time.UTC)},
				{Name: "osv/crates.io", AsOf: time.Date(2026, 8, 21, 0, 0, 0, 0, time.UTC)},
			}},
		},
		Findings: []report.Finding{
			found("CVE-2099-0002", "openssl", libssl, risk.Unknown, "3.0.15-1", "3.0.16-1"),
			found("CVE-2099-0002", "openssl", other, risk.Unknown, "3.0.15-1", "3.0.16-1"),
			found("CVE-2099-0002", "openssl", tool, risk.Unknown, "3.0.15-1", "3.0.16-1"),
			found("CVE-2099-0001", "ring", crate, risk.Low),
			found("CVE-2099-0003", "ring", crate, risk.Critical),
		},
		Tail: report.Tail{
			Ignored: []report.Ignored{
				{Finding: found("CVE-2099-0004", "ring", crate, risk.Low), By: "ignore.yaml:3", Until: "2099-12-31", Reason: "not reachable"},
				{Finding: found("CVE-2099-0005", "ring", crate, risk.Low), By: "ignore.yaml:3", Until: "2099-12-31", Reason: "not reachable"},
			},
			NotAssessed: []match.NotAssessed{{Ecosystem: "amzn:2023", Reason: "the feed has no advisories for it"}},
			Warnings:    []collect.Warning{{Path: "var/lib/rpm", Message: "it cannot be read"}},
			Summary:     fleet.Counts{Critical: 1, Low: 1, Unknown: 1},
		},
	}
	const want = `ring 0.16.0 (crates.io): no fix is known
  critical   CVE-2099-0003  no fix is known
  low        CVE-2099-0001  no fix is known

openssl 3.0.11-1 (Debian:12): upgrade to 3.0.16-1
  libssl3, openssl
  unknown    CVE-2099-0002  fixed in 3.0.15-1, 3.0.16-1

openssl 3.0.14-1 (Debian:12): upgrade to 3.0.16-1
  libssl3t64
  unknown    CVE-2099-0002  fixed in 3.0.15-1, 3.0.16-1

dir:/srv/root: 4 components; 1 critical, 1 low, 1 unknown
ignored: 2 by ignore.yaml:3 until 2099-12-31: not reachable
not assessed: amzn:2023: the feed has no advisories for it
warning: var/lib/rpm: it cannot be read
Matched against feed revision 0123 as of 2026-08-21.
`
	if got := table(t, r); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestTableOfNothing(t *testing.T) {
	got := table(t, &report.Report{Head: report.Head{Target: "dir:/", Feed: report.Feed{Sample: true, Sources: []feed.Source{
		{Name: "osv/Debian", AsOf: time.Date(2026, 8, 21, 0, 0, 0, 0, time.UTC)},
	}}}})
	for _, text := range []string{"dir:/: 0 components; nothing found", "SAMPLE", "2026-08-21", "patrol feed update"} {
		if !strings.Contains(got, text) {
			t.Errorf("%q is not said in %q", text, got)
		}
	}
	if lines := strings.Count(got, "\n"); lines != 2 {
		t.Errorf("%d lines, want 2: %q", lines, got)
	}
}

// TestTableIsClean: the scanned tree is somebody else's, and so is the feed. None
// of their text reaches the terminal as a command, or breaks a line.
func TestTableIsClean(t *testing.T) {
	got := table(t, hostile("a\x1b[2Jb\nc\td\re\x7ff\u009b1mg\u202eh\xff"))
	for _, r := range got {
		if r != '\n' && (r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x202e) {
			t.Errorf("%U in %q", r, got)
			break
		}
	}
	if lines := strings.Count(got, "\n"); lines != 9 {
		t.Errorf("%d lines, want 9: %q", lines, got)
	}
}

type fullDisk struct{}

var errFull = errors.New("no space left")

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }

// TestTellsThatItWasNotWritten: a report that is cut off is an error in every
// format.
func TestTellsThatItWasNotWritten(t *testing.T) {
	for _, name := range strings.Split(report.Formats(), ", ") {
		format, err := report.NewFormat(name, fullDisk{}, report.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := example().Write(format); !errors.Is(err, errFull) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestTableInColor(t *testing.T) {
	var out bytes.Buffer
	format, err := report.NewFormat("table", &out, report.Options{Color: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := example().Write(format); err != nil {
		t.Fatal(err)
	}
	colors := regexp.MustCompile("\x1b\\[[0-9;]+m")
	if !strings.Contains(out.String(), "\x1b[1;31mcritical \x1b[0m") {
		t.Errorf("critical is not red: %q", &out)
	}
	if got := colors.ReplaceAllString(out.String(), ""); got != table(t, example()) {
		t.Errorf("without its colours:\n%s", got)
	}
}
