package main

import (
	"context"
	"io"

	"patrol/internal/collect"
	"patrol/internal/feed"
	"patrol/internal/report"
	"patrol/internal/sbom"
)

// patrol is a scan by Patrol: pairs with the advisories that say so, and the
// components.
type patrol struct {
	pairs      map[pair][]string
	components map[component]sbom.Component
}

func scanPatrol(ctx context.Context, s subject, revision *feed.Revision) (*patrol, error) {
	target, err := report.ParseTarget(s.target, io.Discard)
	if err != nil {
		return nil, err
	}
	options := report.TargetOptions{Options: collect.Options{Exclude: s.exclude}}
	r, err := report.Scan(ctx, target, options, revision, new(feed.Intelligence))
	if err != nil {
		return nil, err
	}
	p := &patrol{pairs: make(map[pair][]string), components: make(map[component]sbom.Component)}
	for _, c := range r.Document.Components {
		p.components[newComponent(c.Ecosystem, c.Name, c.Version)] = c
	}
	for _, f := range r.Findings {
		c := newComponent(f.Component.Ecosystem, f.Component.Name, f.Component.Version)
		p.pairs[pair{f.Vulnerability, c}] = f.Advisories
	}
	return p, nil
}
