package imagefs

import (
	"cmp"
	"io/fs"
	"iter"
	"path"
	"strings"
	"syscall"
	"time"
)

// Node is a file, directory or symbolic link of the tree. It implements
// fs.DirEntry and fs.FileInfo; no times are kept.
type Node struct {
	name   string
	parent *Node // its own for the root
	// Children are a list, and found by name through tree.children: most nodes
	// have none, and a map for each directory would cost more than all else.
	first, next *Node
	size        int64
	place       place
	mode        fs.FileMode
	layer       uint16 // whose entry this is
	content     uint16 // whose file has the contents; another one after a hard link
	touched     uint16 // the last layer, plus one, that has something at or below here
	removed     bool
	earlier     *Node // the file of a lower layer that this one replaced
}

// Earlier returns the file that a lower layer has under this one's path; nil if
// there is none, or if it was deleted in between.
func (n *Node) Earlier() *Node { return n.earlier }

// Name returns the last element of the path.
func (n *Node) Name() string { return n.name }

// IsDir tells whether it is a directory.
func (n *Node) IsDir() bool { return n.mode.IsDir() }

// Type returns the type bits of the mode.
func (n *Node) Type() fs.FileMode { return n.mode.Type() }

// Info returns the node itself.
func (n *Node) Info() (fs.FileInfo, error) { return n, nil }

// Size is that of a file's contents in bytes.
func (n *Node) Size() int64 { return n.size }

// Mode returns type and permissions.
func (n *Node) Mode() fs.FileMode { return n.mode }

// ModTime returns the zero time.
func (n *Node) ModTime() time.Time { return time.Time{} }

// Sys returns nil.
func (n *Node) Sys() any { return nil }

// Children yields what is in a directory, in no order.
func (n *Node) Children() iter.Seq[*Node] {
	return func(yield func(*Node) bool) {
		for c := n.first; c != nil; c = c.next {
			if !c.removed && !yield(c) {
				return
			}
		}
	}
}

// InArchiveOrder orders files by layer and by where their contents are in it, so
// that reading them one after the other goes through the layers once.
func InArchiveOrder(a, b *Node) int {
	return cmp.Or(cmp.Compare(a.content, b.content), cmp.Compare(a.place, b.place))
}

// Refused tells of a file that Options.Sniff has not liked.
func (n *Node) Refused() bool { return n.place.refused() }

// tree is the nodes of the layers applied so far.
type tree struct {
	root     *Node
	children map[child]*Node
	links    map[*Node]string // targets of symbolic links, which are few
	budget   *budget
	warn     func(path, message string)
	slab     []Node // unused ones, allocated together

	// What follows is about the layer being applied.
	layer  *layer
	number uint16
	pruned map[*Node]bool
	// The directory of the entry before is that of most entries.
	lastDir  string
	lastNode *Node
}

const slabSize = 256

type child struct {
	parent *Node
	name   string
}

func newTree(b *budget, warn func(path, message string)) *tree {
	t := &tree{children: map[child]*Node{}, links: map[*Node]string{}, budget: b, warn: warn}
	t.root = &Node{name: ".", mode: fs.ModeDir | 0o755}
	t.root.parent = t.root
	return t
}

// maxLinks is how many symbolic links one path may go through, as in Linux.
const maxLinks = 40

// walk goes along the path from the root. Links on the way are followed, and
// ".." at the root stays there; the last element is followed if last says so.
// Missing elements are made by create, or an error if it is nil.
func (t *tree) walk(name string, last bool, create func(parent *Node, name string) (*Node, error)) (*Node, error) {
	at, rest, links := t.root, name, 0
	for rest != "" {
		part, more, _ := strings.Cut(rest, "/")
		rest = more
		switch part {
		case "", ".":
			continue
		case "..":
			at = at.parent
			continue
		}
		if !at.IsDir() {
			return nil, syscall.ENOTDIR
		}
		next := t.children[child{at, part}]
		if next == nil {
			if create == nil {
				return nil, fs.ErrNotExist
			}
			var err error
			if next, err = create(at, part); err != nil {
				return nil, err
			}
		}
		if next.mode&fs.ModeSymlink == 0 || (!last && rest == "") {
			at = next
			continue
		}
		target := t.links[next]
		if links++; links > maxLinks || len(target)+len(rest) > 2*maxPath {
			return nil, syscall.ELOOP
		}
		if err := spend("bytes of symbolic links followed", &t.budget.followed, int64(len(target)), t.budget.limits.Followed); err != nil {
			return nil, err
		}
		if path.IsAbs(target) {
			at = t.root
		}
		rest = target + "/" + rest
	}
	return at, nil
}

// put makes a node, which must not be there.
func (t *tree) put(parent *Node, name string, mode fs.FileMode) (*Node, error) {
	if !parent.IsDir() {
		return nil, syscall.ENOTDIR
	}
	if len(t.slab) == 0 {
		t.slab = make([]Node, slabSize)
	}
	n := &t.slab[0]
	t.slab = t.slab[1:]
	*n = Node{name: name, parent: parent, next: parent.first, mode: mode, layer: t.number, content: t.number, touched: t.number + 1}
	parent.first = n
	t.children[child{parent, name}] = n
	return n, nil
}

// remove takes a node out, with all below it.
func (t *tree) remove(n *Node) {
	t.lastNode = nil
	todo := []*Node{n}
	for len(todo) > 0 {
		n, todo = todo[len(todo)-1], todo[:len(todo)-1]
		if n.removed {
			continue
		}
		n.removed = true
		delete(t.children, child{n.parent, n.name})
		delete(t.links, n)
		for c := n.first; c != nil; c = c.next {
			todo = append(todo, c)
		}
	}
}

// touch marks the node and those above it as having something of this layer.
func (t *tree) touch(n *Node) {
	for ; n.touched != t.number+1; n = n.parent {
		n.touched = t.number + 1
		if n == t.root {
			return
		}
	}
}

// prune takes out what lower layers have below the directory.
func (t *tree) prune(dir *Node) {
	todo := []*Node{dir}
	for len(todo) > 0 {
		n := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if t.pruned[n] { // what is there now came with this layer
			continue
		}
		t.pruned[n] = true
		for c := range n.Children() {
			if c.touched != t.number+1 {
				t.remove(c)
			} else if c.IsDir() {
				todo = append(todo, c)
			}
		}
	}
}
