package main

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"patrol/bench/document"
	"patrol/internal/match"
)

// bound is what must hold; a zero is no bound.
type bound struct {
	wall time.Duration
	peak int64 // bytes
}

// cell writes the bound, and whether it is broken.
func (b bound) cell(u usage) string {
	var parts []string
	if b.wall > 0 {
		parts = append(parts, limit(b.wall))
	}
	if b.peak > 0 {
		parts = append(parts, megabytes(b.peak))
	}
	text := strings.Join(parts, ", ")
	if b.wall > 0 && u.wall > b.wall || b.peak > 0 && u.peak > b.peak {
		text += " **missed**"
	}
	return text
}

// limit writes a round time as one thinks of it: "0.5 s", "50 ms".
func limit(d time.Duration) string {
	if d < 100*time.Millisecond {
		return fmt.Sprintf("%g ms", float64(d)/float64(time.Millisecond))
	}
	return fmt.Sprintf("%.3g s", d.Seconds())
}

func (b *bench) begin() {
	b.row("what", "program", "time", "memory", "bound", "Patrol's time ×")
}

func (b *bench) row(cells ...string) {
	b.table = append(b.table, cells)
	if len(b.table) == 1 {
		fmt.Fprint(b.out, b.table) // with the line below the heads
		return
	}
	fmt.Fprint(b.out, document.Row(cells...))
}

// ours is a figure of Patrol's.
func (b *bench) ours(what string, u usage, most bound) {
	b.row(what, "Patrol", seconds(u.wall), megabytes(u.peak), most.cell(u), "")
}

// beside is another program's figure for what Patrol's last row says.
func (b *bench) beside(program string, u, ours usage) {
	b.row("", program, seconds(u.wall), megabytes(u.peak), "", fmt.Sprintf("%.1f", u.wall.Seconds()/ours.wall.Seconds()))
}

// head says where the figures are from.
func (b *bench) head(ctx context.Context) (string, error) {
	published, err := time.Parse(time.DateOnly, filepath.Base(b.feed))
	if err != nil {
		return "", fmt.Errorf("the feed's directory is named after its day: %w", err)
	}
	programs := "Patrol (engine " + match.EngineVersion + ")"
	if b.peer != nil {
		version, err := b.peer.Version(ctx)
		if err != nil {
			return "", err
		}
		programs += " and osv-scanner " + version
	}
	return fmt.Sprintf("%s on %s, with the feed of %s: medians of %d runs in turn, after one for warmth; memory is the most that a run had resident.\n",
		programs, cores(runtime.NumCPU()), published.Format("2 January 2006"), rounds), nil
}

func cores(n int) string {
	words := []string{"", "one core", "two cores", "three cores", "four cores"}
	if n < len(words) {
		return words[n]
	}
	return fmt.Sprint(n, " cores")
}

// seconds writes a time with two or three digits that count.
func seconds(d time.Duration) string {
	switch ms := float64(d) / float64(time.Millisecond); {
	case ms < 10:
		return fmt.Sprintf("%.2g ms", ms)
	case ms < 100:
		return fmt.Sprintf("%.0f ms", ms)
	case ms < 10_000:
		return fmt.Sprintf("%.2f s", d.Seconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

// megabytes writes a size; nothing for zero, which is not known.
func megabytes(n int64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%d MB", n/1e6)
}
