package report

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"patrol/internal/collect"
	"patrol/internal/collect/image"
	"patrol/internal/sbom"
)

// Target is what can be scanned without a console.
type Target struct {
	// Name is as the user wrote it.
	Name string
	// Kind is a key of kinds, and Where what it reads: a path or a reference.
	Kind, Where string
}

// kind is how targets of one kind are collected, and how they are written.
type kind struct {
	form    string
	collect func(ctx context.Context, where string, opts TargetOptions) (*collect.Result, error)
}

// TargetOptions say how to collect from a target.
type TargetOptions struct {
	collect.Options
	// Platform of an image that was built for several: "linux/arm64".
	Platform string
	// Collected, if set, is called between collecting and matching.
	Collected func()
}

// kinds are all kinds of target. This is the place where another one goes.
var kinds = map[string]kind{
	image.Dir:           {"dir:PATH", directory},
	image.SBOM:          {"sbom:FILE", document},
	image.DockerArchive: {"docker-archive:FILE", layers(image.DockerArchive)},
	image.OCIArchive:    {"oci-archive:FILE", layers(image.OCIArchive)},
	image.OCIDir:        {"oci-dir:PATH", layers(image.OCIDir)},
	image.Registry:      {"registry:REF", layers(image.Registry)},
	image.Docker:        {"docker:REF", layers(image.Docker)},
	image.Podman:        {"podman:REF", layers(image.Podman)},
	image.Tar:           {"tar:FILE", layers(image.Tar)},
}

// Kinds says how targets are written: "dir:PATH, sbom:FILE".
func Kinds() string {
	var forms []string
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		forms = append(forms, kinds[name].form)
	}
	return strings.Join(forms, ", ")
}

// ParseTarget reads a target: its kind and where it is, or a bare path, whose
// kind is a guess that is told to hint.
func ParseTarget(name string, hint io.Writer) (Target, error) {
	if kind, where, ok := strings.Cut(name, ":"); ok && !strings.ContainsAny(kind, "/.") {
		if _, known := kinds[kind]; !known {
			return Target{}, fmt.Errorf("target %q: %s: is not a kind of target that this version scans; those are %s", name, kind, Kinds())
		}
		if where == "" {
			return Target{}, fmt.Errorf("target %q: it names nothing; write %s", name, kinds[kind].form)
		}
		return Target{name, kind, where}, nil
	}
	guessed, err := image.Guess(name)
	if err != nil {
		return Target{}, fmt.Errorf("target %q: %w; name it as one of %s", name, err, Kinds())
	}
	fmt.Fprintf(hint, "taking %s for %s\n", name, guessed)
	kind, where, _ := strings.Cut(guessed, ":")
	return Target{name, kind, where}, nil
}

// Collect returns what is installed in the target.
func (t Target) Collect(ctx context.Context, opts TargetOptions) (*collect.Result, error) {
	k, ok := kinds[t.Kind]
	if !ok {
		return nil, fmt.Errorf("target %q: its kind is none of %s", t.Name, Kinds())
	}
	result, err := k.collect(ctx, t.Where, opts)
	if err != nil {
		return nil, fmt.Errorf("target %q: %w", t.Name, err)
	}
	return result, nil
}

func directory(ctx context.Context, where string, opts TargetOptions) (*collect.Result, error) {
	info, err := os.Stat(where)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%s is not a directory", where)
	}
	opts.Root = where
	return collect.Dir(ctx, opts.Options)
}

// layers returns what collects from images of a kind.
func layers(kind string) func(context.Context, string, TargetOptions) (*collect.Result, error) {
	return func(ctx context.Context, where string, opts TargetOptions) (_ *collect.Result, err error) {
		opened, err := image.Open(ctx, kind+":"+where, image.Options{Platform: opts.Platform})
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, opened.Close()) }()
		opts.Verify = opts.Verify || opened.Verify
		return collect.Image(ctx, opened.Layers, opts.Options)
	}
}

// document reads an SBOM that somebody wrote.
func document(_ context.Context, where string, _ TargetOptions) (*collect.Result, error) {
	f, err := os.Open(where)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, sbom.MaxDocument+1))
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	read, err := sbom.Read(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", where, err)
	}
	result := &collect.Result{Document: read.Document, Files: 1}
	for _, w := range read.Warnings {
		result.Warnings = append(result.Warnings, collect.Warning{Path: w.Component, Message: w.Message})
	}
	return result, nil
}
