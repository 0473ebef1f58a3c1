package main_test

import (
	"path/filepath"
	"strings"
	"testing"

	"patrol/internal/feed"
	"patrol/internal/report"
)

func TestScanFixture(t *testing.T) {
	out, errs, code := run(t, "scan", "dir:"+fixture, "--data-dir", t.TempDir(), "--output", "json")
	if code != 0 {
		t.Fatalf("exit %d: %s", code, errs)
	}
	r := decode[report.Report](t, out)
	if r.Summary.Unknown != fixturePairs || r.SBOM.Components != 345 || !r.Feed.Sample {
		t.Errorf("summary %+v, %d components, sample %v", r.Summary, r.SBOM.Components, r.Feed.Sample)
	}
	out, errs, code = run(t, "scan", fixture, "--data-dir", t.TempDir())
	for _, want := range []string{"CVE-2024-28757", "expat", "2.5.0-1+deb12u4", "166 unknown", "SAMPLE"} {
		if !strings.Contains(out, want) {
			t.Errorf("the table lacks %q", want)
		}
	}
	if code != 0 || !strings.Contains(errs, "for dir:") {
		t.Errorf("exit %d; a bare target is a guess that is told: %q", code, errs)
	}
}

// Each mistake exits 1 and says in one line what is wrong.
func TestMistakes(t *testing.T) {
	dir := t.TempDir()
	for _, test := range []struct {
		args []string
		says string
	}{
		{[]string{"scan", "dir:/no/such/place", "--data-dir", dir}, "/no/such/place"},
		{[]string{"scan", "ship:it", "--data-dir", dir}, "dir:PATH"},
		{[]string{"scan", fixture, "--data-dir", dir, "--output", "papyrus"}, "papyrus"},
		{[]string{"feed", "update", "--feed-url", filepath.Join(dir, "nowhere"), "--data-dir", dir}, "nowhere"},
		{[]string{"feed", "update", "--feed-url", "http://127.0.0.1:1", "--data-dir", dir}, "127.0.0.1:1"},
		{[]string{"nodes", "list", "--console", "http://127.0.0.1:1"}, "is it running"},
		{[]string{"nodes", "list", "--console", "nonsense"}, "--console"},
		{[]string{"agent", "--console", "http://127.0.0.1:1", "--data-dir", dir}, "--enrolment-token"},
		{[]string{"agent", "--console", "https://127.0.0.1:1", "--fingerprint", "1234"}, "64 hex digits"},
		{[]string{"console", "--listen", "127.0.0.1:99999", "--data-dir", dir}, "--listen"},
		{[]string{"conosle"}, "conosle"},
	} {
		_, errs, code := run(t, test.args...)
		if code != 1 || !strings.Contains(errs, test.says) || strings.Contains(errs, "panic") {
			t.Errorf("patrol %s: exit %d, %q; want 1 and %q", strings.Join(test.args, " "), code, errs, test.says)
		}
	}
}

func TestFeedStatus(t *testing.T) {
	dir := t.TempDir()
	out, _, code := run(t, "feed", "status", "--data-dir", dir)
	if code != 0 || !strings.Contains(out, "SAMPLE") || !strings.Contains(out, "days old") {
		t.Errorf("exit %d: %s", code, out)
	}
	run(t, "feed", "update", "--feed-url", filepath.Join(dir, "nowhere"), "--data-dir", dir)
	out, _, _ = run(t, "feed", "status", "--data-dir", dir, "--output", "json")
	status := decode[feed.Overview](t, out)
	if !status.Sample || status.LastAttempt == nil || strings.Contains(status.LastAttempt.Error, "\n") {
		t.Errorf("status = %+v", status)
	}
	out, _, _ = run(t, "feed", "status", "--data-dir", dir)
	if !strings.Contains(out, "The last update failed at ") {
		t.Errorf("the failure is not told: %s", out)
	}
}

func TestConsoleSpeaksTLSBeyondLoopback(t *testing.T) {
	dir := t.TempDir()
	_, address := start(t, nil, "Patrol console on ", "console", "--data-dir", dir, "--listen", "0.0.0.0:0", "--feed-url", filepath.Join(dir, "nowhere"))
	if !strings.HasPrefix(address, "https://") {
		t.Errorf("console on %s; want https", address)
	}
}
