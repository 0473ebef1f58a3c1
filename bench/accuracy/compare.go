package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"patrol/bench/document"
	"patrol/bench/osvscanner"
	"patrol/internal/feed"
	"patrol/internal/match"
)

// component is what both scanners list; the ecosystem is without its release.
type component struct{ ecosystem, name, version string }

func newComponent(ecosystem, name, version string) component {
	if ecosystem == "Go" {
		version = strings.TrimPrefix(version, "v") // as purls write it, and OSV does not
	}
	return component{match.Base(ecosystem), match.PackageKey(ecosystem, name), version}
}

// pair is a vulnerability in a component.
type pair struct {
	vulnerability string
	component     component
}

func (p pair) compare(o pair) int {
	return cmp.Or(
		strings.Compare(p.component.ecosystem, o.component.ecosystem), strings.Compare(p.component.name, o.component.name),
		strings.Compare(p.component.version, o.component.version), strings.Compare(p.vulnerability, o.vulnerability),
	)
}

// comparison is what both scanners need.
type comparison struct {
	work       string
	advisories archives
	revision   *feed.Revision
	peer       *osvscanner.Scanner
}

// result is what both found in one target.
type result struct {
	ours        *patrol
	theirs      *osvScanner
	differences map[string][]string
}

// compareAll compares, prints, and fails if any difference is not explained.
func (c *comparison) compareAll(ctx context.Context, out io.Writer, subjects []subject) (document.Table, error) {
	faults, table := 0, document.Table{heads}
	for _, s := range subjects {
		fmt.Fprintf(out, "== %s: %s\n", s.title, s.target)
		r, err := c.compare(ctx, s)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.target, err)
		}
		r.print(out)
		faults += len(r.differences[unexplained])
		table = append(table, r.row(s.title))
	}
	fmt.Fprint(out, table)
	if faults > 0 {
		return nil, fmt.Errorf("%d differences are not explained: find which of the two is wrong, and have rules.go say why", faults)
	}
	return table, nil
}

func (c *comparison) compare(ctx context.Context, s subject) (*result, error) {
	report := filepath.Join(c.work, "osv-scanner.json")
	if err := os.RemoveAll(report); err != nil {
		return nil, err
	}
	run, err := s.peer(ctx, c.peer, report)
	if err != nil {
		return nil, err
	}
	if err := run.Run(); err != nil {
		return nil, err
	}
	var r result
	if r.theirs, err = readOSVScanner(report); err != nil {
		return nil, err
	}
	if r.ours, err = scanPatrol(ctx, s, c.revision); err != nil {
		return nil, err
	}
	r.differences, err = explain(c.advisories, r.ours, r.theirs)
	return &r, err
}

func (r *result) both() (n int) {
	for p := range r.theirs.pairs {
		if _, ok := r.ours.pairs[p]; ok {
			n++
		}
	}
	return n
}

func (r *result) print(out io.Writer) {
	fmt.Fprintf(out, "%-12s %10s %10s\n", "", "components", "pairs")
	fmt.Fprintf(out, "%-12s %10d %10d\n", "Patrol", len(r.ours.components), len(r.ours.pairs))
	fmt.Fprintf(out, "%-12s %10d %10d\n", "osv-scanner", len(r.theirs.components), len(r.theirs.pairs))
	fmt.Fprintf(out, "%-12s %10s %10d\n", "both", "", r.both())
	for _, rule := range slices.Sorted(maps.Keys(r.differences)) {
		fmt.Fprintf(out, "\n%d %s\n", len(r.differences[rule]), rule)
		for _, line := range r.differences[rule] {
			fmt.Fprintln(out, "  "+line)
		}
	}
	fmt.Fprintln(out)
}

var heads = []string{"target", "components: Patrol, osv-scanner", "pairs: Patrol", "osv-scanner", "both", "Patrol alone", "osv-scanner alone"}

func (r *result) row(title string) []string {
	ours, theirs, both := len(r.ours.pairs), len(r.theirs.pairs), r.both()
	return []string{
		title, thousands(len(r.ours.components)) + ", " + thousands(len(r.theirs.components)),
		thousands(ours), thousands(theirs), thousands(both), thousands(ours - both), thousands(theirs - both),
	}
}

// thousands writes 12345 as "12,345".
func thousands(n int) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
