package report

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"patrol/internal/collect"
	"patrol/internal/feed"
	"patrol/internal/finding"
	"patrol/internal/match"
	"patrol/internal/sbom"
)

// Target is what can be scanned without a console.
type Target struct {
	// Name is as the user wrote it.
	Name string
	// Dir is the root of the tree.
	Dir string
}

// ParseTarget reads a target: dir:PATH, or a bare path, which is a guess that is
// told to hint.
func ParseTarget(name string, hint io.Writer) (Target, error) {
	path, ok := strings.CutPrefix(name, "dir:")
	if !ok {
		if kind, _, scheme := strings.Cut(name, ":"); scheme && !strings.ContainsAny(kind, "/.") {
			return Target{}, fmt.Errorf("target %q: %s: is not a kind of target that this version scans; dir:PATH is", name, kind)
		}
		path = name
		fmt.Fprintf(hint, "taking %s for dir:%s\n", name, name)
	}
	info, err := os.Stat(path)
	if err != nil {
		return Target{}, fmt.Errorf("target %q: %w", name, err)
	}
	if !info.IsDir() {
		return Target{}, fmt.Errorf("target %q: %s is not a directory", name, path)
	}
	return Target{name, path}, nil
}

// Scan collects a target and matches it against one revision of the feed.
func Scan(ctx context.Context, t Target, revision *feed.Revision) (*Report, error) {
	collected, err := collect.Dir(ctx, collect.Options{Root: t.Dir})
	if err != nil {
		return nil, err
	}
	return Match(t.Name, collected.Document, collected.Warnings, revision, time.Now())
}

// Match reports on a document as of a moment: what is no longer supported then is
// not assessed.
func Match(target string, doc *sbom.Document, warnings []collect.Warning, revision *feed.Revision, now time.Time) (*Report, error) {
	keys := doc.Inventory()
	matched, err := match.Inventory(revision, keys)
	if err != nil {
		return nil, err
	}
	described, err := finding.Describe(revision, doc, matched)
	if err != nil {
		return nil, err
	}
	r := &Report{
		Target:   target,
		SBOM:     SBOM{sbom.InventoryDigest(keys), len(doc.Components)},
		Feed:     Feed{revision.ID(), revision.Sample(), revision.Sources()},
		Engine:   match.EngineVersion,
		Findings: make([]Finding, len(described)),
		Warnings: append([]collect.Warning{}, warnings...),
	}
	for i, f := range described {
		r.Findings[i] = Finding{Finding: f}
	}
	for _, u := range matched.Unread {
		r.Warnings = append(r.Warnings, collect.Warning{Path: u.Component.Name, Message: u.Err.Error()})
	}
	ecosystems := sbom.Ecosystems(keys)
	r.NotAssessed = append(match.Uncovered(revision, ecosystems), match.Unsupported(ecosystems, now)...)
	r.Summary = Summarize(r.Findings)
	return r, nil
}
