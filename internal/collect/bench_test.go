package collect_test

import (
	"fmt"
	"testing"

	"patrol/internal/collect"
)

// BenchmarkDir walks 20,000 files, of which one in twenty describes a package:
// about what a host looks like.
func BenchmarkDir(b *testing.B) {
	root := b.TempDir()
	const packages, files = 1000, 19
	for p := range packages {
		dir := fmt.Sprintf("srv/app%d/node_modules/p%d", p%10, p)
		write(b, root, dir+"/package.json", fmt.Appendf(nil, `{"name":"p%d","version":"1.0.0"}`, p))
		for f := range files {
			write(b, root, fmt.Sprintf("%s/lib/f%d.js", dir, f), nil)
		}
	}
	for b.Loop() {
		result, err := collect.Dir(b.Context(), collect.Options{Root: root})
		if err != nil {
			b.Fatal(err)
		}
		if result.Files != packages*(files+1) || len(result.Document.Components) != packages {
			b.Fatalf("%d files, %d components", result.Files, len(result.Document.Components))
		}
	}
	b.ReportMetric(float64(packages*(files+1)*b.N)/b.Elapsed().Seconds(), "files/s")
}
