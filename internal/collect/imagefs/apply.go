package imagefs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

const (
	whiteoutPrefix = ".wh."
	opaqueWhiteout = ".wh..wh..opq"
	// aufs kept its own affairs under names that begin so.
	aufsPrefix = ".wh..wh."
)

// apply puts the entries of the next layer onto the tree, in their order, as a
// container runtime would: later entries see what earlier ones did.
func (t *tree) apply(ctx context.Context, number uint16, l *layer) error {
	t.layer, t.number, t.pruned, t.lastNode = l, number, map[*Node]bool{}, nil
	for full := false; ; {
		chunk, err := l.entries.pop(ctx)
		if err != nil || chunk == nil {
			return err
		}
		for i := 0; i < len(chunk) && !full; i++ {
			e := &chunk[i]
			err := t.entry(e)
			if full = errors.Is(err, ErrLimit); full {
				t.warn(".", fmt.Sprintf("%s: %v: the rest of it is left out", l.name(), err))
			} else if err != nil {
				t.warn(clip([]byte(e.name)), fmt.Sprintf("%s: %v: not read", l.name(), err))
			}
		}
	}
}

// clean makes a path from the root of an entry's name; whatever it says, it
// cannot lead out. The root is "".
func clean(name string) string {
	name = strings.TrimSuffix(strings.TrimPrefix(name, "./"), "/")
	if name != "." && fs.ValidPath(name) {
		return name
	}
	return path.Clean("/" + name)[1:]
}

func (t *tree) entry(e *entry) error {
	name := clean(e.name)
	if name == "" {
		return nil
	}
	dir, base := "", name
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		dir, base = name[:i], name[i+1:]
	}
	if strings.HasPrefix(base, whiteoutPrefix) {
		return t.whiteout(dir, base)
	}
	parent, err := t.directory(dir)
	if err != nil {
		return fmt.Errorf("its directory: %w", err)
	}
	if e.kind == typeHardLink {
		return t.hardLink(parent, base, clean(e.link))
	}
	old := t.children[child{parent, base}]
	if old != nil && old.IsDir() && e.kind == typeDirectory {
		old.layer, old.mode = t.number, fs.ModeDir|e.mode
		t.touch(old)
		return nil
	}
	if old != nil {
		t.remove(old)
	}
	return t.create(parent, base, e, old)
}

// create makes the node of an entry that is no hard link, in the place of old.
func (t *tree) create(parent *Node, base string, e *entry, old *Node) error {
	t.touch(parent)
	mode := e.mode
	switch e.kind {
	case hidden:
		return nil
	case typeDirectory:
		mode |= fs.ModeDir
	case typeSymlink:
		mode |= fs.ModeSymlink
	}
	n, err := t.put(parent, base, mode)
	if err != nil {
		return err
	}
	switch e.kind {
	case typeRegular:
		n.size, n.place = e.size, e.place
		n.earlier = replaced(old, t.number)
	case typeSymlink:
		t.links[n] = e.link
	}
	return nil
}

// replaced returns the file of a lower layer that an entry of this layer takes
// the place of, if it is one.
func replaced(old *Node, number uint16) *Node {
	switch {
	case old == nil || !old.mode.IsRegular():
		return nil
	case old.layer == number: // a duplicate within the layer
		return old.earlier
	}
	return old
}

// directory finds the directory of an entry, and makes what is missing of it.
func (t *tree) directory(dir string) (*Node, error) {
	if t.lastNode != nil && t.lastDir == dir {
		return t.lastNode, nil
	}
	n, err := t.walk(dir, true, func(parent *Node, name string) (*Node, error) {
		if err := spend("entries", &t.budget.entries, 1, t.budget.limits.Entries); err != nil {
			return nil, err
		}
		t.touch(parent)
		return t.put(parent, name, fs.ModeDir|0o755)
	})
	if err != nil {
		return nil, err
	}
	if !n.IsDir() {
		return nil, errors.New("not a directory")
	}
	t.lastDir, t.lastNode = dir, n
	return n, nil
}

// hardLink makes a second name of what the target is by now. As with link(2),
// the target's own last element is not followed.
func (t *tree) hardLink(parent *Node, base, target string) error {
	to, err := t.walk(target, false, nil)
	if err != nil {
		return fmt.Errorf("hard link to %s: %w", clip([]byte(target)), err)
	}
	if to.IsDir() {
		return fmt.Errorf("hard link to %s: a directory", clip([]byte(target)))
	}
	old := t.children[child{parent, base}]
	if old == to {
		t.touch(to)
		return nil
	}
	link, isLink := t.links[to]
	if old != nil {
		t.remove(old)
	}
	t.touch(parent)
	n, err := t.put(parent, base, to.mode)
	if err != nil {
		return err
	}
	n.size, n.place, n.content = to.size, to.place, to.content
	if isLink {
		t.links[n] = link
	}
	return nil
}

// whiteout hides what lower layers have, wherever in its layer it comes.
func (t *tree) whiteout(dir, base string) error {
	parent, err := t.walk(dir, true, nil)
	if err != nil || !parent.IsDir() {
		return nil // there is nothing to hide
	}
	if base == opaqueWhiteout {
		t.prune(parent)
		return nil
	}
	if strings.HasPrefix(base, aufsPrefix) {
		return nil
	}
	n := t.children[child{parent, strings.TrimPrefix(base, whiteoutPrefix)}]
	switch {
	case n == nil:
	case n.touched != t.number+1:
		t.remove(n)
	case n.IsDir():
		t.prune(n)
	}
	return nil
}
