package collect

import (
	"bufio"
	"context"
	"errors"
	"hash/maphash"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/google/osv-scalibr/extractor"
	dpkgmeta "github.com/google/osv-scalibr/extractor/filesystem/os/dpkg/metadata"

	"patrol/internal/sbom"
)

// A distribution ships language packages too: Debian's python3-jinja2 is at once
// a Debian package and a wheel. It fixes them without a new upstream version, so
// advisories of the language's ecosystem would accuse what is long patched. The
// distribution's own advisories speak for those, hence a language package whose
// file belongs to a package that the distribution built is left out.
//
// What others packaged (Docker's docker-ce, say) stays: no distribution's
// advisory speaks for it.

// ownedFiles is the set of files that belong to packages of the distribution,
// as hashes: a system has hundreds of thousands.
type ownedFiles struct {
	seed maphash.Seed
	mu   sync.Mutex
	set  map[uint64]struct{}
}

func newOwnedFiles() *ownedFiles {
	return &ownedFiles{seed: maphash.MakeSeed(), set: map[uint64]struct{}{}}
}

// maxOwned is how many files the distribution's packages may have together, of
// which real systems have a few hundred thousand. It bounds the memory.
const maxOwned = 2_000_000

// add takes an absolute path or one below the root.
func (o *ownedFiles) add(file string) {
	sum := maphash.String(o.seed, canonical(file))
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.set) < maxOwned {
		o.set[sum] = struct{}{}
	}
}

func (o *ownedFiles) has(file string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, ok := o.set[maphash.String(o.seed, canonical(file))]
	return ok
}

// canonical makes one of /lib and /usr/lib, which are the same directory on a
// system with a merged /usr while its packages still say /lib.
func canonical(file string) string {
	return strings.TrimPrefix(strings.TrimPrefix(file, "/"), "usr/")
}

// claim remembers of a dpkg package whether its files are the distribution's.
func (in *inventory) claim(p *extractor.Package) {
	m, ok := p.Metadata.(*dpkgmeta.Metadata)
	if !ok {
		return
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	in.distribution[m.PackageName] = builtByDistribution(m.Maintainer)
}

// builtByDistribution judges by the maintainer's address. A maintainer with a
// private one is taken for a stranger: better one false finding than one missed.
func builtByDistribution(maintainer string) bool {
	_, address, _ := strings.Cut(maintainer, "<")
	_, domain, _ := strings.Cut(strings.TrimSuffix(address, ">"), "@")
	return slices.ContainsFunc([]string{"debian.org", "ubuntu.com", "canonical.com"}, func(d string) bool {
		return domain == d || strings.HasSuffix(domain, "."+d)
	})
}

// distributionVendors are the beginnings of the Vendor that distributions write
// into the rpm packages they build.
var distributionVendors = []string{
	"AlmaLinux", "Amazon Linux", "CentOS", "Fedora Project", "Mageia", "Microsoft Corporation", "openEuler", "http://openeuler.org",
	"openSUSE", "Oracle America", "Red Hat", "Rocky", "SUSE", "VMware",
}

// addAPK adds the files of an apk database: "F:directory" and below it
// "R:file" (apk-package-format, installed database).
func (o *ownedFiles) addAPK(r io.Reader) error {
	dir := ""
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		switch kind, value, _ := strings.Cut(lines.Text(), ":"); kind {
		case "F":
			dir = value
		case "R":
			o.add(path.Join(dir, value))
		}
	}
	return lines.Err()
}

// addDPKG adds the paths of a dpkg file list, one to a line.
func (o *ownedFiles) addDPKG(r io.Reader) error {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		o.add(lines.Text())
	}
	return lines.Err()
}

const dpkgInfo = "var/lib/dpkg/info"

// dropOwned leaves out the language packages that are the distribution's.
func (in *inventory) dropOwned(ctx context.Context) {
	in.readOwned(ctx)
	if len(in.owned.set) == 0 {
		return
	}
	system := in.release.ecosystem()
	in.components = slices.DeleteFunc(in.components, func(c sbom.Component) bool {
		return c.Ecosystem != system && in.owned.has(c.Locations[0])
	})
}

// readOwned reads the file lists of dpkg and apk. Those of rpm are in its
// database, which is read when it is at hand.
func (in *inventory) readOwned(ctx context.Context) {
	for _, database := range []string{"lib/apk/db/installed", "usr/lib/apk/db/installed", "var/lib/apk/db/installed"} {
		in.readList(database, in.owned.addAPK)
	}
	if len(in.distribution) == 0 {
		return
	}
	lists, err := in.tree.ReadDir(dpkgInfo)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		in.warn(dpkgInfo, err.Error())
	}
	for _, list := range lists {
		name, ok := strings.CutSuffix(list.Name(), ".list")
		name, _, _ = strings.Cut(name, ":") // libc6:amd64
		if ok && in.distribution[name] && ctx.Err() == nil {
			in.readList(path.Join(dpkgInfo, list.Name()), in.owned.addDPKG)
		}
	}
}

func (in *inventory) readList(file string, add func(io.Reader) error) {
	f, err := in.tree.Open(file)
	if err == nil {
		err = errors.Join(add(io.LimitReader(f, everything)), f.Close())
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		in.warn(file, "which files are the distribution's: "+err.Error())
	}
}
