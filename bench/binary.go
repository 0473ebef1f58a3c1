package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"time"

	"patrol/web"
)

// binary measures what there is before anything is scanned.
func (b *bench) binary(ctx context.Context) error {
	started, err := repeat(func(int) (usage, error) {
		return measure(exec.CommandContext(ctx, b.program, "version").Run)
	})
	if err != nil {
		return fmt.Errorf("%s version: %w", b.program, err)
	}
	b.ours("`patrol version`", started, bound{wall: 30 * time.Millisecond})
	return b.size()
}

// size is the binary's, stripped, with the UI and without.
func (b *bench) size() error {
	info, err := os.Stat(b.program)
	if err != nil {
		return err
	}
	var page int64
	err = fs.WalkDir(web.Dist(), ".", func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		file, err := e.Info()
		if err == nil {
			page += file.Size()
		}
		return err
	})
	if err != nil {
		return err
	}
	const limit = 60e6
	missed := ""
	if info.Size()-page > limit {
		missed = " **missed**"
	}
	b.row(fmt.Sprintf("the binary, stripped: %.1f MB, of which the UI is %.1f MB", float64(info.Size())/1e6, float64(page)/1e6), "Patrol", "", "", "60 MB without the UI"+missed, "")
	return nil
}
