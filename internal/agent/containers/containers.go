// Package containers asks the container runtimes of a machine what runs there and
// which images are kept, and reads what is installed in either.
//
// A runtime is asked through its socket, in its own words: Docker's, containerd's
// or those of Kubernetes (CRI). They agree on little more than that there are
// containers, images, and news of both, and that is all that [Runtime] holds.
// News is only a hint that the list may have changed: what is true is always the
// list, so that a lost event costs time and never truth.
//
// A container's files are read where its first process sees them, below
// /proc/PID/root, whatever the runtime and its storage; an image's are what the
// runtime hands out.
package containers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"patrol/internal/collect/image"
	"patrol/internal/wire"
)

// Runtime is what runs containers on this machine.
type Runtime interface {
	// Name tells it from the others of the machine: "kind:socket".
	Name() string
	// List returns the containers that run, and the images that are kept.
	List(ctx context.Context) ([]wire.Child, error)
	// Watch calls changed once it has asked to be told of changes, and then whenever
	// List may have changed, until the context or the connection ends. It never
	// returns nil. List may be a moment behind: look again a second later.
	Watch(ctx context.Context, changed func()) error
	// PID returns the first process of a container; ErrStopped if it does not run.
	PID(ctx context.Context, container string) (int, error)
	// Image opens an image by its key in the list.
	Image(ctx context.Context, key string) (*image.Image, error)
}

// Storer is a runtime that says in which directory of the machine it keeps the
// files of its containers and images: they are not the machine's.
type Storer interface {
	Storage(ctx context.Context) (string, error)
}

// ErrStopped says that a container does not run, so there is no process through
// which it could be read.
var ErrStopped = errors.New("the container does not run")

// errEnded is what Watch returns when the runtime ends its events.
var errEnded = errors.New("it ended the stream of its events")

// The kinds of runtime.
const (
	Docker     = "docker"
	Containerd = "containerd"
	CRI        = "cri"
)

// Open returns the runtime that a name, "kind:socket", means. It is asked only
// when it is used.
func Open(name string) (Runtime, error) {
	kind, socket, _ := strings.Cut(name, ":")
	switch {
	case !strings.HasPrefix(socket, "/"):
	case kind == Docker:
		return newDocker(socket), nil
	case kind == Containerd:
		return newContainerd(socket)
	case kind == CRI:
		return newCRI(socket)
	}
	return nil, fmt.Errorf("runtime %q: it is docker:SOCKET, containerd:SOCKET or cri:SOCKET, with the socket's absolute path", name)
}

// What is reported of one child at most: everybody who lists nodes reads it.
const (
	maxText   = 256 // bytes
	maxLabels = 64
)

// child is a child as it is reported. The labels that say the most come first:
// those of Kubernetes, then the others by name.
func child(c wire.Child, labels ...map[string]string) wire.Child {
	c.Name, c.Image.Reference = clip(c.Name), clip(c.Image.Reference)
	c.Labels = map[string]string{}
	for _, from := range labels {
		for _, key := range slices.Sorted(maps.Keys(from)) {
			_, have := c.Labels[key]
			if !have && len(c.Labels) < maxLabels && len(key) <= maxText && len(from[key]) <= maxText {
				c.Labels[key] = strings.ToValidUTF8(from[key], "\uFFFD")
			}
		}
	}
	return c
}

func clip(text string) string {
	if len(text) > maxText {
		text = text[:maxText]
	}
	return strings.ToValidUTF8(text, "")
}

// inOrder sorts children by kind and key.
func inOrder(children []wire.Child) []wire.Child {
	slices.SortFunc(children, func(a, b wire.Child) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Key, b.Key))
	})
	return children
}

// short is how people write the digest or id of what has no name.
func short(id string) string {
	id = strings.TrimPrefix(id, "sha256:")
	return id[:min(len(id), 12)]
}
