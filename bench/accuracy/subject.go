package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"patrol/bench/osvscanner"
)

// subject is a target of a comparison.
type subject struct {
	title, target string
	exclude       []string // of a tree
}

// subjects are those of the table, in its order, and those that were named; left
// is what is missing of the table, and how to get it.
func (f flags) subjects(ctx context.Context, work string) (all []subject, left []string, err error) {
	if f.fixture != "" {
		archive, err := archiveOf(ctx, f.fixture, filepath.Join(work, "fixture"))
		if err != nil {
			return nil, nil, err
		}
		all = append(all, subject{title: "package database of a Debian 12 host", target: archive})
	}
	if f.image != "" {
		all = append(all, subject{
			title:  "image: Debian 12, an application server, two Go programs",
			target: "docker-archive:" + filepath.Join(f.image, "image.tar"),
		})
	} else if len(f.targets) == 0 {
		left = append(left, "the image: make it as root with bench/image.sh DIR, then make bench IMAGE=DIR")
	}
	if f.machine {
		all = append(all, subject{
			title: "the machine that measured it, `/`: Debian 12, tools of a developer", target: "dir:/",
			exclude: append(f.exclude, "/proc", "/sys", os.TempDir()),
		})
	}
	if f.drawn {
		drawn, missing, err := f.drawnSubjects(ctx, work)
		if err != nil {
			return nil, nil, err
		}
		all, left = append(all, drawn...), append(left, missing...)
	}
	for _, target := range f.targets {
		all = append(all, subject{title: "beside the table", target: target})
	}
	return all, left, nil
}

// drawnSubjects are what is drawn from the feed itself.
func (f flags) drawnSubjects(ctx context.Context, work string) (all []subject, left []string, err error) {
	known := archives(f.feed)
	if _, err := exec.LookPath("rpmbuild"); err != nil {
		left = append(left, "the rpm database: rpmbuild is not on PATH (on Debian: apt-get install rpm)")
	} else {
		root, err := known.drawRPM(ctx, work)
		if err != nil {
			return nil, nil, err
		}
		archive, err := archiveOf(ctx, root, filepath.Join(work, "rpm-image"))
		if err != nil {
			return nil, nil, err
		}
		all = append(all, subject{title: "image with an rpm database: 800 packages that AlmaLinux 9's errata name", target: archive})
	}
	document := filepath.Join(work, "drawn.cdx.json")
	if err := known.drawSBOM(document); err != nil {
		return nil, nil, err
	}
	all = append(all, subject{title: "SBOM drawn from the feed: Debian, Go, PyPI, crates.io", target: "sbom:" + document})
	return all, left, nil
}

// archiveOf makes an image of a tree: osv-scanner looks for package databases at
// their places below /, and so only in images and on this machine.
func archiveOf(ctx context.Context, tree, dir string) (target string, err error) {
	if tree, err = filepath.Abs(tree); err != nil {
		return "", err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", err
	}
	if err := os.Symlink(tree, filepath.Join(dir, "rootfs")); err != nil {
		return "", err
	}
	if out, err := exec.CommandContext(ctx, filepath.Join("bench", "image.sh"), dir).CombinedOutput(); err != nil {
		return "", fmt.Errorf("making an image of %s: %w: %s", tree, err, out)
	}
	return "docker-archive:" + filepath.Join(dir, "image.tar"), nil
}

// peer is osv-scanner's run on the subject.
func (s subject) peer(ctx context.Context, scanner *osvscanner.Scanner, report string) (*osvscanner.Run, error) {
	kind, where, _ := strings.Cut(s.target, ":")
	switch kind {
	case "docker-archive":
		return scanner.Archive(ctx, where, report), nil
	case "dir":
		return scanner.Tree(ctx, where, s.exclude, report), nil
	case "sbom":
		return scanner.SBOM(ctx, where, report), nil
	}
	return nil, fmt.Errorf("osv-scanner is not asked about targets of the kind %q; those are docker-archive, dir and sbom", kind)
}
