//go:build shareddata

package finding_test

import (
	"syscall"
	"testing"
	"time"

	"patrol/internal/feed"
	"patrol/internal/finding/findingtest"
	"patrol/internal/platform/clocktest"
	"patrol/internal/platform/db/dbtest"
)

// BenchmarkRematch has 10,000 nodes with 200 inventories of 600 components matched
// against the feed of August 2026, when they had that of June: 300,000 occurrences
// open. The matching is to take no longer than 300 ms, and all of it 5 s.
func BenchmarkRematch(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		f := findingtest.NewDelta(b, clocktest.At(noon).Now, append(migrations, feed.Migrations)...)
		august := f.Install("2026-08-21")
		b.StartTimer()
		start := time.Now()
		components, err := f.Differing(b.Context(), f.June, august)
		if err != nil {
			b.Fatal(err)
		}
		matching := time.Since(start)
		b.StopTimer()
		b.StartTimer()
		start = time.Now()
		before := cpu(b)
		if err := f.Rematch(b.Context(), f.Knowledge, august); err != nil {
			b.Fatal(err)
		}
		took := time.Since(start)
		worked := cpu(b) - before
		opened := dbtest.Count(b, f.DB.Read(), `SELECT opened + resolved FROM rematch WHERE revision = '`+august.ID()+`'`)
		b.ReportMetric(float64(matching.Milliseconds()), "ms-matching")
		b.ReportMetric(float64(components), "components-that-differ")
		b.ReportMetric(float64(opened), "occurrences")
		b.ReportMetric(took.Seconds(), "s-in-all")
		b.ReportMetric(worked.Seconds(), "cpu-s-in-all")
		b.ReportMetric(float64(opened)/took.Seconds(), "occurrences/s-in-all")
	}
}

// cpu is how long the process has worked: what others on the machine do is not in
// it.
func cpu(b *testing.B) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
