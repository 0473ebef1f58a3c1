package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"

	"patrol/bench/osvscanner"
	"patrol/internal/collect/image"
	"patrol/internal/collect/imagefs"
)

// scan is Patrol's scan of a target with the feed that compiling has made.
func (b *bench) scan(ctx context.Context, target string) func(i int) (usage, error) {
	return func(int) (usage, error) {
		return execute(ctx, b.program, "scan", target, "--output", "json="+filepath.Join(b.dir, "patrol.json"), "--data-dir", b.data(0))
	}
}

// scanBeside is osv-scanner's, by one of its ways to scan.
func (b *bench) scanBeside(start func(report string) *osvscanner.Run) func(i int) (usage, error) {
	return func(int) (usage, error) {
		run := start(filepath.Join(b.dir, "osv-scanner.json"))
		return measureProcess(run.Cmd, run.Run)
	}
}

// imageArchive measures the image as docker-save writes it.
func (b *bench) imageArchive(ctx context.Context) error {
	if b.image == "" {
		b.leaveOut("the image: make it as root with bench/image.sh DIR, then make bench IMAGE=DIR")
		return nil
	}
	what, err := b.describe()
	if err != nil {
		return err
	}
	archive := filepath.Join(b.image, "image.tar")
	err = b.contest("image in a `docker save` archive, "+what, bound{500 * time.Millisecond, 100e6},
		b.scan(ctx, "docker-archive:"+archive),
		"osv-scanner", func(report string) *osvscanner.Run { return b.peer.Archive(ctx, archive, report) })
	// Quoted are figures of another image of this kind, without matching.
	b.row("", "Trivy, SBOM alone; quoted: 1.5 GB, 65,000 entries", "2.7 s", "560 MB", "", "")
	b.row("", "Syft, SBOM alone; quoted: the same", "17 s", "860 MB", "", "")
	return err
}

// imageTree measures the same image unpacked.
func (b *bench) imageTree(ctx context.Context) error {
	if b.image == "" {
		return nil
	}
	root := filepath.Join(b.image, "rootfs")
	return b.contest("the same image, unpacked", bound{600 * time.Millisecond, 90e6},
		b.scan(ctx, "dir:"+root),
		"osv-scanner, which sees no package database in a tree that is not `/`", func(report string) *osvscanner.Run { return b.peer.Tree(ctx, root, nil, report) })
}

// imageGzip measures it with compressed layers, beside what it takes to inflate
// them and do nothing else.
func (b *bench) imageGzip(ctx context.Context) error {
	if b.image == "" {
		return nil
	}
	archive := filepath.Join(b.image, "image-gzip.tar")
	used, err := inTurn(
		b.scan(ctx, "docker-archive:"+archive),
		func(int) (usage, error) { return measure(func() error { return inflate(ctx, archive) }) },
	)
	if err != nil {
		return err
	}
	most := bound{wall: used[1].wall * 13 / 10}
	text := fmt.Sprintf("1.3 × inflating, %s; it is %.2f ×", most.cell(used[0]), used[0].wall.Seconds()/used[1].wall.Seconds())
	b.row("the same image with a gzip layer", "Patrol", seconds(used[0].wall), megabytes(used[0].peak), text, "")
	b.beside("inflating that layer alone: the same library, likewise one layer on one core", used[1], used[0])
	return nil
}

// contest measures Patrol, and osv-scanner in turn if there is one.
func (b *bench) contest(what string, most bound, ours func(i int) (usage, error), peer string, start func(report string) *osvscanner.Run) error {
	contestants := []func(int) (usage, error){ours}
	if b.peer != nil {
		contestants = append(contestants, b.scanBeside(start))
	}
	used, err := inTurn(contestants...)
	if err != nil {
		return err
	}
	b.ours(what, used[0], most)
	if b.peer != nil {
		b.beside(peer, used[1], used[0])
	}
	return nil
}

// describe says how large the image is.
func (b *bench) describe() (string, error) {
	info, err := os.Stat(filepath.Join(b.image, "image.tar"))
	if err != nil {
		return "", fmt.Errorf("%w: make the image as root with bench/image.sh %s", err, b.image)
	}
	entries := 0
	err = filepath.WalkDir(filepath.Join(b.image, "rootfs"), func(_ string, _ fs.DirEntry, err error) error {
		entries++
		return err
	})
	return fmt.Sprintf("%.1f GB, %d,%03d entries", float64(info.Size())/1e9, entries/1000, entries%1000), err
}

// inflate inflates the layers of an image by the library that the scanner uses,
// on as many goroutines, and throws away what comes of it.
func inflate(ctx context.Context, archive string) (err error) {
	opened, err := image.Open(ctx, image.DockerArchive+":"+archive, image.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, opened.Close()) }()
	var work errgroup.Group
	work.SetLimit(min(4, runtime.GOMAXPROCS(0)))
	for _, layer := range opened.Layers {
		work.Go(func() error {
			inflated, err := imagefs.Inflate(io.NewSectionReader(layer.File, 0, layer.File.Size()))
			if err != nil {
				return err
			}
			_, err = io.Copy(io.Discard, inflated)
			return errors.Join(err, inflated.Close())
		})
	}
	return work.Wait()
}
