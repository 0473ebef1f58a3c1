// Command bench measures Patrol on real data and prints the figures beside the
// bounds that must hold. It runs the built binary as a user would, five times
// after one for warmth, and takes the median.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"patrol/internal/collect"
	"patrol/internal/feed"
	"patrol/internal/match"
	"patrol/internal/report"
	"patrol/internal/sbom"
)

const rounds = 5

func main() {
	shared := flag.String("shared", os.Getenv("PATROL_SHARED"), "directory with feeds/ and fixtures/")
	program := flag.String("patrol", "bin/patrol", "the binary to measure")
	root := flag.String("root", "/", "tree to scan")
	flag.Parse()
	if err := run(context.Background(), os.Stdout, *shared, *program, *root); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, shared, program, root string) error {
	dir, err := os.MkdirTemp("", "patrol-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	feeds := filepath.Join(shared, "feeds", "2026-08-21")
	print := func(what, measured, bound string) { fmt.Fprintf(out, "%-58s %-22s %s\n", what, measured, bound) }
	print("MEASURED", "MEDIAN OF 5", "BOUND")

	compile, err := repeat(func(i int) (usage, error) {
		return execute(ctx, program, "feed", "update", "--feed-url", feeds, "--data-dir", filepath.Join(dir, fmt.Sprint(i)))
	})
	if err != nil {
		return err
	}
	print("compile the feed, five ecosystems, 14,484 records", compile.String(), "2 s, 150 MB")

	store, err := feed.Open(filepath.Join(dir, "0", "feed"))
	if err != nil {
		return err
	}
	defer func() { _ = store.Close() }()
	open, err := repeat(func(int) (usage, error) { return measure(func() error { return openIndex(ctx, dir) }) })
	if err != nil {
		return err
	}
	print("open the index", open.wall.String(), "5 ms")
	revision, err := store.Current(ctx)
	if err != nil {
		return err
	}
	keys, err := inventory(ctx, shared)
	if err != nil {
		return err
	}
	matched, err := repeat(func(int) (usage, error) {
		return measure(func() error { _, err := match.Inventory(revision, keys); return err })
	})
	if err != nil {
		return err
	}
	print(fmt.Sprintf("match %d components", len(keys)), matched.wall.String(), "50 ms")

	if err := fixture(ctx, shared, revision, print); err != nil {
		return err
	}
	collected, err := collect.Dir(ctx, collect.Options{Root: root})
	if err != nil {
		return err
	}
	scan, err := repeat(func(int) (usage, error) {
		return execute(ctx, program, "scan", "dir:"+root, "--output", "json", "--data-dir", filepath.Join(dir, "0"))
	})
	if err != nil {
		return err
	}
	bound := time.Duration(float64(10*time.Second) * float64(collected.Files) / 200_000)
	print(fmt.Sprintf("scan %s, %d files, %d components", root, collected.Files, len(collected.Document.Components)),
		scan.String(), bound.Round(10*time.Millisecond).String()+", 150 MB")
	return nil
}

func openIndex(ctx context.Context, dir string) error {
	store, err := feed.Open(filepath.Join(dir, "0", "feed"))
	if err != nil {
		return err
	}
	_, err = store.Current(ctx)
	return cmp.Or(err, store.Close())
}

// inventory is the fixture's, repeated under other versions up to 3,000
// components: each is compared for itself.
func inventory(ctx context.Context, shared string) ([]sbom.Key, error) {
	collected, err := collect.Dir(ctx, collect.Options{Root: filepath.Join(shared, "fixtures", "debian12", "rootfs")})
	if err != nil {
		return nil, err
	}
	keys := collected.Document.Inventory()
	for i, n := 0, len(keys); len(keys) < 3000; i++ {
		other := keys[i%n]
		other.SourceVersion += fmt.Sprintf("+bench%d", i/n)
		keys = append(keys, other)
	}
	return keys, nil
}

// fixture compares what a scan of the fixture finds with its known answer.
func fixture(ctx context.Context, shared string, revision *feed.Revision, print func(what, measured, bound string)) error {
	text, err := os.ReadFile(filepath.Join(shared, "fixtures", "debian12", "expected.json"))
	if err != nil {
		return err
	}
	var expected []struct{ Source, CVE string }
	if err := json.Unmarshal(text, &expected); err != nil {
		return err
	}
	missing := make(map[string]bool)
	for _, e := range expected {
		missing[e.Source+" "+e.CVE] = true
	}
	target := report.Target{Name: "fixture", Kind: "dir", Where: filepath.Join(shared, "fixtures", "debian12", "rootfs")}
	r, err := report.Scan(ctx, target, report.TargetOptions{}, revision, new(feed.Intelligence))
	if err != nil {
		return err
	}
	found, extra := make(map[string]bool), 0
	for _, f := range r.Findings {
		pair := f.Package + " " + f.Vulnerability
		if !missing[pair] && !found[pair] {
			extra++
		}
		delete(missing, pair)
		found[pair] = true
	}
	print("fixture debian12: pairs found, missing, too many", fmt.Sprintf("%d, %d, %d", len(found), len(missing), extra), fmt.Sprintf("%d, 0, 0", len(expected)))
	return nil
}

// usage is what one run took.
type usage struct {
	wall time.Duration
	peak int64 // bytes resident; zero within this process
}

func (u usage) String() string {
	return fmt.Sprintf("%v, %d MB", u.wall.Round(time.Millisecond), u.peak/1e6)
}

func repeat(once func(i int) (usage, error)) (usage, error) {
	var all []usage
	for i := range rounds + 1 {
		u, err := once(i)
		if err != nil {
			return usage{}, err
		}
		if i > 0 {
			all = append(all, u)
		}
	}
	slices.SortFunc(all, func(a, b usage) int { return cmp.Compare(a.wall, b.wall) })
	median := all[len(all)/2]
	for _, u := range all {
		median.peak = max(median.peak, u.peak)
	}
	return median, nil
}

func measure(work func() error) (usage, error) {
	began := time.Now()
	err := work()
	return usage{wall: time.Since(began)}, err
}

func execute(ctx context.Context, name string, args ...string) (usage, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stderr = os.Stderr
	began := time.Now()
	err := cmd.Run()
	u := usage{wall: time.Since(began)}
	if used, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		u.peak = used.Maxrss * 1024 // getrusage(2) counts kilobytes
	}
	return u, err
}
