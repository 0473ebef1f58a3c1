package fleet_test

import (
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"patrol/internal/fleet"
	"patrol/internal/platform/audit"
	"patrol/internal/platform/auth"
	"patrol/internal/platform/db/dbtest"
	"patrol/internal/platform/lease"
	"patrol/internal/sbom"
)

// size is how many components a document of these benchmarks has.
const size = 600

// machineWith returns the document of a machine whose components are known to the
// console but for the last ones.
func machineWith(b *testing.B, machine, unknown int) (digest string, encoded []byte) {
	b.Helper()
	doc := &sbom.Document{Distribution: sbom.Distribution{ID: "debian", Version: "12"}, Components: make([]sbom.Component, size)}
	for i := range doc.Components {
		version := "1.2.3-4+deb12u1"
		if i >= size-unknown {
			version = fmt.Sprintf("1.2.3-4+deb12u%d", machine+2)
		}
		name := fmt.Sprintf("package-%d-of-a-distribution", i)
		doc.Components[i] = sbom.Component{
			Ecosystem: "Debian:12", Name: name, Version: version, PURL: "pkg:deb/debian/" + name + "@" + version + "?arch=amd64&distro=debian-12",
			Source: sbom.SourcePackage{Name: fmt.Sprintf("source-%d", i/3), Version: version}, Locations: []string{"var/lib/dpkg/status"},
		}
	}
	doc.Normalize()
	encoded, err := doc.Encode()
	if err != nil {
		b.Fatal(err)
	}
	return sbom.Digest(encoded), encoded
}

// processorTime is what this process has used: what a document costs whatever else
// the machine does.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var used unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// BenchmarkIngest is how fast documents of 600 components come in that the console
// does not have, on SQLite in a file: what is new of them is versions, as after an
// upgrade. It must hold: 150 a second when 90 % of their components are known, 40 when
// none are.
func BenchmarkIngest(b *testing.B) {
	for name, test := range map[string]struct{ unknown, least int }{"90 % known": {size / 10, 150}, "none known": {size, 40}} {
		b.Run(name, func(b *testing.B) {
			unknown := test.unknown
			d := dbtest.OpenSQLite(b, filepath.Join(b.TempDir(), "patrol.db"), audit.Migrations, auth.Migrations, fleet.Migrations)
			s := fleet.NewService(d, auth.NewService(d, time.Now), lease.NewSignals(), time.Now)
			put := func(machine, unknown int) {
				digest, encoded := machineWith(b, machine, unknown)
				if err := s.Put(b.Context(), digest, encoded); err != nil {
					b.Error(err)
				}
			}
			put(0, 0)
			// Agents send at the same time; what they send is made beforehand.
			type document struct {
				digest  string
				encoded []byte
			}
			documents := make(chan document, b.N)
			for machine := range b.N {
				digest, encoded := machineWith(b, machine+1, unknown)
				documents <- document{digest, encoded}
			}
			close(documents)
			b.ResetTimer()
			before := processorTime(b)
			var senders sync.WaitGroup
			for range 8 {
				senders.Go(func() {
					for sent := range documents {
						if err := s.Put(b.Context(), sent.digest, sent.encoded); err != nil {
							b.Error(err)
						}
					}
				})
			}
			senders.Wait()
			b.StopTimer()
			spent := processorTime(b) - before
			b.ReportMetric(float64(spent.Microseconds())/1000/float64(b.N), "CPU-ms/op")
			rate := float64(b.N) / b.Elapsed().Seconds()
			b.ReportMetric(rate, "documents/s")
			if b.N >= 500 && rate < float64(test.least) { // the first ones are slower
				b.Errorf("%.0f documents a second; want %d", rate, test.least)
			}
		})
	}
}
