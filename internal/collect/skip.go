package collect

import (
	"path"
	"strings"
)

// What is on a disk is not yet what is installed. This file is the one place
// that says which directories are not read, and which lock files do not count.

// skippedAnywhere are directories that hold no deployed software wherever they
// are. A package manager's cache is what could be installed, often in many
// versions; the tool that put it there copies out of it.
var skippedAnywhere = []string{
	".git", ".hg", ".svn", // objects of version control
	".cache",         // XDG caches: pip, go-build, yarn, …; build caches in node_modules
	"Library/Caches", // the same on macOS
	".npm",           // npm: _cacache and the throw-away trees of npx
	".yarn/cache", ".pnpm-store", ".local/share/pnpm/store", ".bun/install/cache",
	"go/pkg/mod",                                                   // Go: sources, with a go.mod each
	"cargo/registry", "cargo/git", ".cargo/registry", ".cargo/git", // Rust: sources, with a Cargo.lock each
	".m2/repository", ".gradle/caches", ".ivy2/cache", // Java
	".nuget/packages", ".composer/cache", ".bundle/cache", ".pub-cache", ".hex/packages",
	".local/share/containers/storage", ".local/share/docker", // rootless containers
}

// skippedAtRoot are directories of a whole system, by their path below its root.
var skippedAtRoot = []string{
	"proc", "sys", "dev", "run", // the kernel's, and what lives until the next boot
	"lost+found",
	"var/cache", "var/lib/apt/lists", // what apt, dnf, apk, … have downloaded
	// Containers and their images are nodes of their own, not part of the host.
	"var/lib/docker", "var/lib/containerd", "var/lib/containers/storage", "var/lib/kubelet/pods",
	"var/lib/rancher/k3s/agent/containerd", "var/lib/rancher/rke2/agent/containerd",
	"var/snap/microk8s/common/var/lib/containerd", "var/snap/docker/common/var-lib-docker",
	"var/lib/buildkit", "var/lib/buildah", "var/lib/machines", "var/lib/lxc", "var/lib/lxd", "var/lib/incus",
	// Base snaps are other distributions' trees, whose package database is not
	// the host's. Application snaps are read: they are deployed software.
	"snap/bare", "snap/core*", "snap/snapd",
	"var/lib/snapd/snap/bare", "var/lib/snapd/snap/core*", "var/lib/snapd/snap/snapd",
	"var/lib/snapd/snaps", "var/lib/snapd/cache",
}

// skipSet answers for one directory at the cost of a map look-up by its name.
type skipSet struct {
	atRoot   map[string]bool
	patterns []string
	anywhere map[string][]string // last element → suffixes
}

// newSkipSet adds exclude, paths below the root, to the built-in lists. In a tree
// that is no system, dev/ and run/ are directories like any other.
func newSkipSet(system bool, exclude []string) skipSet {
	s := skipSet{atRoot: map[string]bool{}, anywhere: map[string][]string{}}
	for _, dir := range skippedAtRoot {
		if !system {
			break
		}
		if strings.ContainsRune(dir, '*') {
			s.patterns = append(s.patterns, dir)
			continue
		}
		s.atRoot[dir] = true
	}
	s.add(exclude...)
	for _, dir := range skippedAnywhere {
		s.anywhere[path.Base(dir)] = append(s.anywhere[path.Base(dir)], dir)
	}
	return s
}

// add adds directories, by their path below the root.
func (s skipSet) add(dirs ...string) {
	for _, dir := range dirs {
		s.atRoot[strings.Trim(path.Clean(dir), "/")] = true
	}
}

// skips tells whether the directory, a path below the root, is not read.
func (s skipSet) skips(dir string) bool {
	if s.atRoot[dir] {
		return true
	}
	for _, suffix := range s.anywhere[path.Base(dir)] {
		if dir == suffix || strings.HasSuffix(dir, "/"+suffix) {
			return true
		}
	}
	for _, pattern := range s.patterns {
		if ok, _ := path.Match(pattern, dir); ok {
			return true
		}
	}
	return false
}

// foreignTrees are directories that hold other people's packages as they were
// published. A lock file among them says what its authors developed with; what
// is installed for it here stands in the tree around it.
var foreignTrees = map[string]bool{
	"node_modules": true, "bower_components": true, // JavaScript
	"site-packages": true, "dist-packages": true, // Python
	"gems":        true, // Ruby: gems/<name>-<version>/Gemfile.lock
	"vendor":      true, // PHP, Go, Ruby
	"third_party": true,
	"deps":        true, // Elixir
	"Pods":        true, // Swift
	"rustlib":     true, // the Rust tool chain's own sources
	// Ignored by the go command, and by convention nowhere deployed.
	"testdata": true,
}

// inForeignTree tells whether a file lies below one of foreignTrees.
func inForeignTree(file string) bool {
	for dir := range strings.SplitSeq(path.Dir(file), "/") {
		if foreignTrees[dir] {
			return true
		}
	}
	return false
}

// inNodeModules tells whether a package.json is that of an installed package:
// node_modules/name or node_modules/@scope/name. Deeper ones are fixtures, or
// mark a module's kind; those outside describe a project, not a package.
func inNodeModules(file string) bool {
	dir := path.Dir(path.Dir(file))
	if strings.HasPrefix(path.Base(dir), "@") {
		dir = path.Dir(dir)
	}
	return path.Base(dir) == "node_modules"
}

// inSpecifications tells whether a gemspec is that of an installed gem. Those in
// a gem's own tree are its source.
func inSpecifications(file string) bool {
	dir := path.Dir(file)
	if path.Base(dir) == "default" {
		dir = path.Dir(dir)
	}
	return path.Base(dir) == "specifications"
}
