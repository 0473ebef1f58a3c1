package collect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/google/osv-scalibr/extractor"
	"github.com/google/osv-scalibr/extractor/filesystem"
	"github.com/google/osv-scalibr/extractor/filesystem/os/osrelease"
	rpmmeta "github.com/google/osv-scalibr/extractor/filesystem/os/rpm/metadata"
	scalibr "github.com/google/osv-scalibr/inventory"
	"github.com/google/osv-scalibr/plugin"
	"github.com/google/osv-scalibr/purl"

	cpb "github.com/google/osv-scalibr/binary/proto/config_go_proto"

	"patrol/internal/collect/rpmdb"
)

// rpmExtractor takes the place of SCALIBR's, which a malformed database brings
// down together with the process; see [rpmdb].
type rpmExtractor struct {
	owned *ownedFiles // is told which files the packages have, unless it is nil
}

func newRPM(owned *ownedFiles) func(*cpb.PluginConfig) (filesystem.Extractor, error) {
	return func(*cpb.PluginConfig) (filesystem.Extractor, error) { return rpmExtractor{owned}, nil }
}

func (rpmExtractor) Name() string                       { return "os/rpm" }
func (rpmExtractor) Version() int                       { return 0 }
func (rpmExtractor) Requirements() *plugin.Capabilities { return &plugin.Capabilities{} }

// rpmDirectories are where systems of different ages and kinds keep the database.
var rpmDirectories = []string{"var/lib/rpm", "usr/lib/sysimage/rpm", "usr/share/rpm"}

func (rpmExtractor) FileRequired(api filesystem.FileAPI) bool {
	return slices.Contains(rpmDirectories, path.Dir(api.Path()))
}

// maxWAL is the size in bytes of the largest write-ahead log that is copied.
const maxWAL = 256 * mib

// Extract lists the packages of the database. With an error there may be
// packages too.
func (r rpmExtractor) Extract(ctx context.Context, input *filesystem.ScanInput) (scalibr.Inventory, error) {
	database, ok := input.Reader.(*io.SectionReader)
	if !ok {
		return scalibr.Inventory{}, errors.New("reading an rpm database needs random access")
	}
	wal, err := input.FS.Open(input.Path + "-wal")
	switch {
	case err == nil:
		defer wal.Close()
	case !errors.Is(err, fs.ErrNotExist):
		return scalibr.Inventory{}, fmt.Errorf("opening the write-ahead log: %w", err)
	}
	rel, err := osrelease.GetOSRelease(input.FS)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, osrelease.ErrNotADistro) {
		return scalibr.Inventory{}, fmt.Errorf("reading os-release: %w", err)
	}
	var found scalibr.Inventory
	reading, stop := context.WithCancel(ctx)
	defer stop()
	err = rpmdb.Read(reading, database, bounded(wal), func(p *rpmdb.Package) {
		if len(found.Packages) == maxPackages {
			stop()
			return
		}
		r.claim(p)
		found.Packages = append(found.Packages, &extractor.Package{
			Name: p.Name, Version: p.Version + "-" + p.Release, PURLType: purl.TypeRPM,
			Location: extractor.LocationFromPath(input.Path),
			Metadata: &rpmmeta.Metadata{
				PackageName: p.Name, SourceRPM: p.SourceRPM, Epoch: p.Epoch, Vendor: p.Vendor, Architecture: p.Arch,
				OSID: rel["ID"], OSVersionID: rel["VERSION_ID"], OSBuildID: rel["BUILD_ID"],
				OSName: rel["NAME"], OSPrettyName: rel["PRETTY_NAME"], OSCPEName: rel["CPE_NAME"],
			},
		})
	})
	if reading.Err() != nil && ctx.Err() == nil {
		err = errPackages
	}
	return found, err
}

// bounded is the log as rpmdb takes it: nil if there is none.
func bounded(wal fs.File) io.Reader {
	if wal == nil {
		return nil
	}
	return io.LimitReader(wal, maxWAL)
}

// claim adds the files of a package that the distribution built.
func (r rpmExtractor) claim(p *rpmdb.Package) {
	built := func(vendor string) bool { return strings.HasPrefix(p.Vendor, vendor) }
	if r.owned == nil || !slices.ContainsFunc(distributionVendors, built) {
		return
	}
	for file := range p.Files() {
		r.owned.add(file)
	}
}
