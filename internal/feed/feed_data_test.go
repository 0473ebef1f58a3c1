//go:build shareddata

package feed

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"patrol/internal/match"
)

// shared returns a directory of real knowledge that stands beside the checkout.
func shared(t testing.TB, name string) string {
	t.Helper()
	root := os.Getenv("PATROL_SHARED")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared")
	}
	path := filepath.Join(root, name)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v: set PATROL_SHARED", err)
	}
	return path
}

func TestRealFeed(t *testing.T) {
	s := openStore(t)
	outcome := mustUpdate(t, s, Options{URL: shared(t, "feeds/2026-08-21")})
	if outcome.Records != 14484 {
		t.Errorf("%d records, want 14484", outcome.Records)
	}
	want := map[string]int{"osv/AlmaLinux": 5637, "osv/Debian": 689, "osv/Go": 4291, "osv/PyPI": 2661, "osv/crates.io": 1206}
	if len(outcome.Sources) != len(want) {
		t.Errorf("%d sources, want %d", len(outcome.Sources), len(want))
	}
	for _, source := range outcome.Sources {
		if source.Records != want[source.Name] {
			t.Errorf("%s has %d records, want %d", source.Name, source.Records, want[source.Name])
		}
		if source.AsOf.IsZero() {
			t.Errorf("%s has no as of", source.Name)
		}
	}
	r := mustCurrent(t, s)
	for _, ecosystem := range []string{"Go", "PyPI", "crates.io", "Debian:12", "AlmaLinux:8", "AlmaLinux:9", "AlmaLinux:10"} {
		if !r.Covers(ecosystem) {
			t.Errorf("%s is not covered", ecosystem)
		}
	}
	for _, ecosystem := range []string{"Debian:11", "Debian", "AlmaLinux:7", "npm"} {
		if r.Covers(ecosystem) {
			t.Errorf("%s is covered", ecosystem)
		}
	}
	debian := map[string]bool{}
	for _, p := range pairs(t, r, nameBucket) {
		if !strings.HasPrefix(p[0], "DEBIAN-") {
			continue
		}
		names, err := r.Names(p[0])
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if !match.IsCVE(name) {
				t.Errorf("%s is about %s, which is no CVE", p[0], name)
			}
			debian[name] = true
		}
	}
	if len(debian) != 689 {
		t.Errorf("%d names in Debian, want 689", len(debian))
	}
	errata, silent := 0, 0
	for _, p := range pairs(t, r, recordBucket) {
		if !match.IsErratum(p[0]) {
			continue
		}
		errata++
		if names, err := r.Names(p[0]); err != nil {
			t.Fatal(err)
		} else if len(names) == 0 {
			silent++
		}
	}
	if errata != 5637 || silent != 1206 {
		t.Errorf("%d errata of which %d name nothing, want 5637 and 1206", errata, silent)
	}
}

func TestRealFeedMovesForwardOnly(t *testing.T) {
	s := openStore(t)
	june := mustUpdate(t, s, Options{URL: shared(t, "feeds/2026-06-01")})
	august := mustUpdate(t, s, Options{URL: shared(t, "feeds/2026-08-21")})
	if june.Revision == august.Revision || !august.Changed {
		t.Fatalf("june %+v, august %+v", june, august)
	}
	if again := mustUpdate(t, s, Options{URL: shared(t, "feeds/2026-08-21")}); again.Changed || again.Revision != august.Revision {
		t.Errorf("the same again: %+v", again)
	}
	_, err := s.Update(t.Context(), Options{URL: shared(t, "feeds/2026-06-01")})
	wantError(t, err, "older", "osv/", "2026-08-21", august.Revision)
	if got := mustCurrent(t, s).ID(); got != august.Revision {
		t.Errorf("installed is %s, want %s", got, august.Revision)
	}
}

func realArchives(tb testing.TB) []archive {
	from, err := newOrigin(shared(tb, "feeds/2026-08-21"), nil)
	if err != nil {
		tb.Fatal(err)
	}
	names, err := from.ecosystems(context.Background())
	if err != nil {
		tb.Fatal(err)
	}
	archives, err := from.archives(context.Background(), names, "")
	if err != nil {
		tb.Fatal(err)
	}
	return archives
}

// BenchmarkCompile reads, compiles, writes and verifies all five sources.
func BenchmarkCompile(b *testing.B) {
	archives := realArchives(b)
	s := openStore(b)
	for b.Loop() {
		c, err := collect(b.Context(), archives, defaultLimits)
		if err != nil {
			b.Fatal(err)
		}
		m := c.manifest(false)
		if err := s.write(c, m); err != nil {
			b.Fatal(err)
		}
		info, err := os.Stat(s.revisionPath(m.Revision))
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(info.Size())/(1<<20), "MiB-file")
	}
}

func realRevision(b *testing.B) (*Store, *Revision) {
	s := openStore(b)
	mustUpdate(b, s, Options{URL: shared(b, "feeds/2026-08-21")})
	return s, mustCurrent(b, s)
}

func BenchmarkOpen(b *testing.B) {
	s, r := realRevision(b)
	path := s.revisionPath(r.ID())
	for b.Loop() {
		r, err := openRevision(path)
		if err != nil {
			b.Fatal(err)
		}
		if err := r.shut(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCurrent(b *testing.B) {
	s, _ := realRevision(b)
	for b.Loop() {
		mustCurrent(b, s)
	}
}

// BenchmarkAffected looks up every package of the feed in turn, and as many
// that it does not know.
func BenchmarkAffected(b *testing.B) {
	_, r := realRevision(b)
	type pkg struct{ ecosystem, name string }
	var known, unknown []pkg
	for _, p := range pairs(b, r, affectedBucket) {
		ecosystem, name, _ := strings.Cut(p[0], "\x00")
		known = append(known, pkg{ecosystem, name})
		unknown = append(unknown, pkg{ecosystem, name + "-unknown"})
	}
	for name, packages := range map[string][]pkg{"known": known, "unknown": unknown, "both": slices.Concat(known, unknown)} {
		b.Run(name, func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				p := packages[i%len(packages)]
				if _, err := r.Affected(p.ecosystem, p.name); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "look-ups/s")
		})
	}
}
