package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"time"
)

// rounds is how often something is measured, after once for warmth.
const rounds = 5

// usage is what one run took.
type usage struct {
	wall time.Duration
	peak int64 // bytes resident; zero within this process
}

// repeat returns the median of the times, and that of the peaks.
func repeat(once func(i int) (usage, error)) (usage, error) {
	used, err := inTurn(once)
	if err != nil {
		return usage{}, err
	}
	return used[0], nil
}

// inTurn is repeat for several: each of them once, then each of them again, so
// that a machine that becomes slower becomes so for all.
func inTurn(contestants ...func(i int) (usage, error)) ([]usage, error) {
	all := make([][]usage, len(contestants))
	for i := range rounds + 1 {
		for c, once := range contestants {
			u, err := once(i)
			if err != nil {
				return nil, err
			}
			if i > 0 {
				all[c] = append(all[c], u)
			}
		}
	}
	medians := make([]usage, len(all))
	for c, runs := range all {
		slices.SortFunc(runs, func(a, b usage) int { return cmp.Compare(a.wall, b.wall) })
		medians[c].wall = runs[rounds/2].wall
		slices.SortFunc(runs, func(a, b usage) int { return cmp.Compare(a.peak, b.peak) })
		medians[c].peak = runs[rounds/2].peak
	}
	return medians, nil
}

func measure(work func() error) (usage, error) {
	began := time.Now()
	err := work()
	return usage{wall: time.Since(began)}, err
}

// execute runs a program, and fails if it does.
func execute(ctx context.Context, name string, args ...string) (usage, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stderr = os.Stderr
	return measureProcess(cmd, cmd.Run)
}

// measureProcess runs cmd by run. Linux counts what this process has resident when
// it starts another to that one's peak: whoever measures small programs must not
// have become large before.
func measureProcess(cmd *exec.Cmd, run func() error) (usage, error) {
	u, err := measure(run)
	if err != nil {
		return u, err
	}
	used, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	var own syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &own); err != nil || !ok {
		return u, cmp.Or(err, errors.New("the system does not tell what a process has used"))
	}
	if used.Maxrss <= own.Maxrss {
		return u, fmt.Errorf("%s has taken no more memory than this process, so its peak is not known", cmd.Path)
	}
	u.peak = used.Maxrss * 1024 // getrusage(2) counts kilobytes
	return u, nil
}
