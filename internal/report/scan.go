package report

import (
	"context"
	"time"

	"patrol/internal/collect"
	"patrol/internal/feed"
	"patrol/internal/finding"
	"patrol/internal/match"
	"patrol/internal/sbom"
)

// Scan collects a target, matches it against one revision of the feed, and
// assesses what was found with one state of the intelligence.
func Scan(ctx context.Context, t Target, opts TargetOptions, revision *feed.Revision, known *feed.Intelligence) (*Report, error) {
	collected, err := t.Collect(ctx, opts)
	if err != nil {
		return nil, err
	}
	if opts.Collected != nil {
		opts.Collected()
	}
	return Match(t.Name, collected.Document, collected.Warnings, revision, known, time.Now())
}

// Match reports on a document as of a moment: what is no longer supported then is
// not assessed.
func Match(target string, doc *sbom.Document, warnings []collect.Warning, revision *feed.Revision, known *feed.Intelligence, now time.Time) (*Report, error) {
	keys := doc.Inventory()
	matched, err := match.Inventory(revision, keys)
	if err != nil {
		return nil, err
	}
	described, err := finding.Describe(revision, known, doc, matched)
	if err != nil {
		return nil, err
	}
	r := &Report{
		Head: Head{
			Target:   target,
			SBOM:     SBOM{sbom.InventoryDigest(keys), len(doc.Components)},
			Feed:     Feed{revision.ID(), revision.Sample(), known.ID(), append(revision.Sources(), known.Sources()...)},
			Engine:   match.EngineVersion,
			Document: doc,
			At:       now.UTC(),
		},
		Findings: make([]Finding, len(described)),
		Tail:     Tail{Ignored: []Ignored{}, Warnings: append([]collect.Warning{}, warnings...)},
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
