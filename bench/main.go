// Command bench measures Patrol on real data beside the bounds that must hold, and
// beside osv-scanner where that is on PATH. It runs the built binary as a user
// would, five times after once for warmth, and takes the median.
//
//	bench [flags]
//
// With -docs it rewrites the table of speed in a page between its marks.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"

	"patrol/bench/document"
	"patrol/bench/osvscanner"
)

// bench is what the measurements share.
type bench struct {
	out     io.Writer
	program string // Patrol's binary
	shared  string // directory with feeds/ and fixtures/
	feed    string // directory laid out as OSV publishes
	image   string // directory that image.sh has made; may be empty
	root    string // tree to scan
	dir     string // for temporary files
	peer    *osvscanner.Scanner
	table   document.Table
	left    []string // what is left out, and how to get it
}

func main() {
	debug.SetGCPercent(20) // see measureProcess
	b := &bench{out: os.Stdout}
	flag.StringVar(&b.shared, "shared", os.Getenv("PATROL_SHARED"), "directory with feeds/ and fixtures/")
	flag.StringVar(&b.program, "patrol", "bin/patrol", "the binary to measure")
	flag.StringVar(&b.image, "image", "", "directory that bench/image.sh has made")
	flag.StringVar(&b.root, "root", "/", "tree to scan")
	docs := flag.String("docs", "", "page whose table is rewritten")
	flag.Parse()
	b.feed = filepath.Join(b.shared, "feeds", "2026-08-21")
	if err := b.run(context.Background(), *docs); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func (b *bench) run(ctx context.Context, docs string) (err error) {
	if b.dir, err = os.MkdirTemp("", "patrol-bench-"); err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(b.dir) }()
	if b.peer, err = osvscanner.New(b.feed, b.dir); errors.Is(err, osvscanner.ErrMissing) {
		b.leaveOut(err.Error())
	} else if err != nil {
		return err
	}
	head, err := b.head(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintln(b.out, head)
	b.begin()
	// Programs come first, while this one is small.
	for _, part := range []func(context.Context) error{
		b.compiling, b.imageArchive, b.imageTree, b.imageGzip, b.binary, b.tree, b.matching, b.fixture,
	} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	if docs == "" {
		return nil
	}
	if len(b.left) > 0 {
		return fmt.Errorf("%s is not rewritten: the table lacks what was left out", docs)
	}
	return document.Replace(docs, "bench:speed", head+"\n"+b.table.String())
}

func (b *bench) leaveOut(what string) {
	b.left = append(b.left, what)
	fmt.Fprintln(b.out, "left out:", what)
}
