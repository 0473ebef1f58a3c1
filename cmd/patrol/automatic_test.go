package main_test

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"patrol/internal/finding"
	"patrol/internal/fleet"
	"patrol/internal/scan"
)

// TestUpgradeShowsWithinAMinute is a host that arrives, and whose package manager then
// upgrades one package and installs another: nobody asks for a scan.
func TestUpgradeShowsWithinAMinute(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	if err := os.CopyFS(root, os.DirFS(fixture)); err != nil {
		t.Fatal(err)
	}
	_, c := console(t, t.TempDir(), "../../internal/feed/sample", "127.0.0.1:0")
	agent(t, c, t.TempDir(), root)
	last := func(trigger string) (s scan.Scan) {
		eventually(t, "a scan because of "+trigger, func() bool {
			list := all[scan.Scan](t, c, "scans", url.Values{"trigger": {trigger}, "state": {scan.Complete}})
			if len(list) > 0 {
				s = list[0]
			}
			return len(list) > 0
		})
		return s
	}
	if s := last(scan.OnArrival); s.Opened != fixturePairs {
		t.Errorf("the scan on arrival opened %d occurrences; want %d", s.Opened, fixturePairs)
	}
	if nodes := all[fleet.Node](t, c, "nodes", nil); len(nodes) != 1 {
		t.Fatalf("nodes = %+v", nodes)
	}

	status := filepath.Join(root, "var/lib/dpkg/status")
	text, err := os.ReadFile(status)
	if err != nil {
		t.Fatal(err)
	}
	before, from, ok := strings.Cut(string(text), "Package: libexpat1\n")
	stanza, after, ends := strings.Cut(from, "\n\n")
	if !ok || !ends {
		t.Fatalf("%s has no libexpat1", status)
	}
	lines := strings.Split(stanza, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, "Version: ") {
			lines[i] = "Version: 99.0-1"
		}
	}
	const old = "Package: gzip-old\nStatus: install ok installed\nSource: gzip (1.3.5-10)\nArchitecture: amd64\nVersion: 1.3.5-10\n\n"
	upgraded := before + old + "Package: libexpat1\n" + strings.Join(lines, "\n") + "\n\n" + after
	began := time.Now()
	if err := os.WriteFile(status+"-new", []byte(upgraded), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(status+"-new", status); err != nil {
		t.Fatal(err)
	}
	s := last(scan.OnChange)
	took := time.Since(began)
	t.Logf("the upgrade showed after %v", took.Round(time.Millisecond))
	if took > 15*time.Second || s.Opened == 0 || s.Resolved == 0 {
		t.Errorf("the upgrade opened %d and resolved %d occurrences, after %v", s.Opened, s.Resolved, took)
	}
	reasons := map[string]int{}
	for _, o := range all[finding.Occurrence](t, c, "occurrences", url.Values{"state": {"resolved"}}) {
		reasons[o.Package+" "+o.ResolvedBecause]++
	}
	if len(reasons) != 1 || reasons["expat "+finding.Upgraded] != s.Resolved {
		t.Errorf("resolved: %v; want %d of expat, upgraded", reasons, s.Resolved)
	}
	installed := 0
	for _, o := range all[finding.Occurrence](t, c, "occurrences", nil) {
		if o.OpenedBecause == finding.Installed {
			installed++
		}
	}
	if installed != s.Opened {
		t.Errorf("%d occurrences of what was installed; want %d", installed, s.Opened)
	}
}
