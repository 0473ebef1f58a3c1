//go:build shareddata

package feed

import "testing"

// From June to August 2026, in Go, AlmaLinux and crates.io.
func TestCompareMonths(t *testing.T) {
	june := revisionOf(t, shared(t, "feeds/2026-06-01"))
	s := openStore(t)
	mustUpdate(t, s, Options{URL: shared(t, "feeds/2026-08-21"), Ecosystems: []string{"AlmaLinux", "Go", "crates.io"}})
	c, err := Compare(june, mustCurrent(t, s))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d new, %d changed, %d gone; %d packages, %d vulnerabilities", c.New, c.Changed, c.Gone, len(c.Packages), len(c.Vulnerabilities))
	if c.New != 1926 {
		t.Errorf("%d new records, want 1926", c.New)
	}
}

func BenchmarkCompareMonths(b *testing.B) {
	june := revisionOf(b, shared(b, "feeds/2026-06-01"))
	s := openStore(b)
	mustUpdate(b, s, Options{URL: shared(b, "feeds/2026-08-21"), Ecosystems: []string{"AlmaLinux", "Go", "crates.io"}})
	august := mustCurrent(b, s)
	for b.Loop() {
		if _, err := Compare(june, august); err != nil {
			b.Fatal(err)
		}
	}
}
