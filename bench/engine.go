package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"patrol/internal/collect"
	"patrol/internal/feed"
	"patrol/internal/match"
	"patrol/internal/report"
	"patrol/internal/sbom"
)

// data is the data directory that the i-th compilation fills; there is always one
// of 0.
func (b *bench) data(i int) string { return filepath.Join(b.dir, fmt.Sprint(i)) }

// compiling measures making the index.
func (b *bench) compiling(ctx context.Context) error {
	compiled, err := repeat(func(i int) (usage, error) {
		// The sources beside OSV are on the network.
		return execute(ctx, b.program, "feed", "update", "--feed-url", b.feed, "--data-dir", b.data(i),
			"--cve-url=", "--epss-url=", "--kev-url=", "--nvd-url=")
	})
	if err != nil {
		return err
	}
	b.ours("compile the feed: five ecosystems, 14,484 records", compiled, bound{2 * time.Second, 150e6})
	return nil
}

// tree measures the scan of a tree, by default this machine's.
func (b *bench) tree(ctx context.Context) error {
	scanned, err := repeat(b.scan(ctx, "dir:"+b.root))
	if err != nil {
		return err
	}
	collected, err := collect.Dir(ctx, collect.Options{Root: b.root})
	if err != nil {
		return err
	}
	most := bound{time.Duration(float64(10*time.Second) * float64(collected.Files) / 200_000), 150e6}
	b.ours(fmt.Sprintf("scan `%s`: %d files, %d components", b.root, collected.Files, len(collected.Document.Components)), scanned, most)
	return nil
}

// matching measures opening the index, and matching with it.
func (b *bench) matching(ctx context.Context) (err error) {
	opened, err := repeat(func(int) (usage, error) { return measure(func() error { return b.openIndex(ctx) }) })
	if err != nil {
		return err
	}
	b.ours("open the index", opened, bound{wall: 5 * time.Millisecond})
	return b.withRevision(ctx, func(revision *feed.Revision) error {
		keys, err := b.inventory(ctx)
		if err != nil {
			return err
		}
		matched, err := repeat(func(int) (usage, error) {
			return measure(func() error { _, err := match.Inventory(revision, keys); return err })
		})
		if err != nil {
			return err
		}
		b.ours(fmt.Sprintf("match %d components", len(keys)), matched, bound{wall: 50 * time.Millisecond})
		return nil
	})
}

func (b *bench) openIndex(ctx context.Context) error {
	return b.withRevision(ctx, func(*feed.Revision) error { return nil })
}

func (b *bench) withRevision(ctx context.Context, do func(*feed.Revision) error) error {
	store, err := feed.Open(filepath.Join(b.data(0), "feed"))
	if err != nil {
		return err
	}
	revision, err := store.Current(ctx)
	if err == nil {
		err = do(revision)
	}
	return cmp.Or(err, store.Close())
}

func (b *bench) fixtureRoot() string {
	return filepath.Join(b.shared, "fixtures", "debian12", "rootfs")
}

// inventory is the fixture's, repeated under other versions up to 3,000
// components: each is compared for itself.
func (b *bench) inventory(ctx context.Context) ([]sbom.Key, error) {
	collected, err := collect.Dir(ctx, collect.Options{Root: b.fixtureRoot()})
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
func (b *bench) fixture(ctx context.Context) error {
	text, err := os.ReadFile(filepath.Join(b.shared, "fixtures", "debian12", "expected.json"))
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
	return b.withRevision(ctx, func(revision *feed.Revision) error {
		target := report.Target{Name: "fixture", Kind: "dir", Where: b.fixtureRoot()}
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
		fmt.Fprintf(b.out, "\nfixture debian12: of %d pairs %d are found, %d are missing, %d are too many\n", len(expected), len(found)-extra, len(missing), extra)
		return nil
	})
}
