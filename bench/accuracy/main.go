// Command accuracy compares what Patrol and osv-scanner find with the same feed,
// and prints every difference under the rule that explains it.
//
//	accuracy [flags] [TARGET...]
//
// A TARGET is one of Patrol's: dir:, docker-archive: or sbom:. The flags name
// those of the table in docs/scanning.md. A difference that no rule explains is a
// fault of one of the two: it exits 1.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"patrol/bench/document"
	"patrol/bench/osvscanner"
	"patrol/internal/feed"
)

type flags struct {
	feed, image, fixture, docs string
	machine, drawn             bool
	exclude                    []string
	targets                    []string
}

func main() {
	var f flags
	flag.StringVar(&f.feed, "feed", "", "directory laid out as OSV publishes")
	flag.StringVar(&f.fixture, "fixture", "", "tree with a package database")
	flag.StringVar(&f.image, "image", "", "directory that bench/image.sh has made")
	flag.BoolVar(&f.machine, "machine", false, "compare on this machine")
	flag.BoolVar(&f.drawn, "drawn", false, "compare packages drawn from the feed, in an SBOM and in an rpm database")
	flag.StringVar(&f.docs, "docs", "", "page whose table is rewritten")
	flag.Func("exclude", "directory of this machine that neither reads; several times", func(dir string) error {
		dir, err := filepath.Abs(dir)
		f.exclude = append(f.exclude, dir)
		return err
	})
	flag.Parse()
	f.targets = flag.Args()
	if err := run(context.Background(), os.Stdout, f); err != nil {
		fmt.Fprintln(os.Stderr, "accuracy:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, f flags) (err error) {
	work, err := os.MkdirTemp("", "patrol-accuracy-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(work) }()
	c := &comparison{work: work, advisories: archives(f.feed)}
	if c.peer, err = osvscanner.New(f.feed, work); errors.Is(err, osvscanner.ErrMissing) && f.docs == "" {
		fmt.Fprintln(out, "left out: the comparison of findings:", err)
		return nil
	} else if err != nil {
		return err
	}
	store, err := feed.Open(filepath.Join(work, "feed"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if _, err := store.Update(ctx, feed.Options{URL: f.feed}); err != nil {
		return err
	}
	if c.revision, err = store.Current(ctx); err != nil {
		return err
	}
	subjects, left, err := f.subjects(ctx, work)
	if err != nil {
		return err
	}
	table, err := c.compareAll(ctx, out, subjects)
	if err != nil {
		return err
	}
	for _, what := range left {
		fmt.Fprintln(out, "left out:", what)
	}
	switch {
	case f.docs == "":
		return nil
	case len(left) > 0:
		return fmt.Errorf("%s is not rewritten: the table lacks what was left out", f.docs)
	}
	return document.Replace(f.docs, "bench:accuracy", table.String())
}
