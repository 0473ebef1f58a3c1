package collect

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"path"
	"strings"

	"github.com/google/osv-scalibr/extractor/filesystem"
	"github.com/google/osv-scalibr/extractor/filesystem/language/java/archive"
	scalibr "github.com/google/osv-scalibr/inventory"
	"go.uber.org/multierr"

	cpb "github.com/google/osv-scalibr/binary/proto/config_go_proto"
	"google.golang.org/protobuf/proto"
)

// archives reads Java archives with SCALIBR's extractor, one level at a time.
// SCALIBR's own descent reads nested archives into memory up to one sum for all
// of them, which bounds either what is found in a large application or what a
// hostile archive can take. Here the largest one at each level counts.
type archives struct {
	filesystem.Extractor // a single level
}

const (
	// maxNested is the size in bytes of the largest archive within an archive
	// that is opened; it is held in memory.
	maxNested = 32 * mib
	// maxNesting is how deep: a jar in a war in an ear.
	maxNesting = 3
	// maxInflated is how many bytes the archives within one may have together.
	// That bounds the time: entries can share their bytes, and so cost nothing.
	maxInflated = 2048 * mib
	// maxDirectory is the size in bytes of the largest directory of an archive,
	// and maxEntries how many entries one has with those within it.
	maxDirectory = 32 * mib
	maxEntries   = 200_000
	// maxDescription is the size in bytes of the largest file that tells what an
	// archive is. The manifest of a signed one has three lines for each class.
	maxDescription = 8 * mib
)

func newArchives(*cpb.PluginConfig) (filesystem.Extractor, error) {
	one, err := archive.New(&cpb.PluginConfig{PluginSpecific: []*cpb.PluginSpecificConfig{{
		Config: &cpb.PluginSpecificConfig_JavaArchive{JavaArchive: &cpb.JavaArchiveConfig{
			MaxZipDepth: 1,
			// The limit counts the outermost file too, which is never in memory.
			MaxOpenedBytes: streamed,
			// A hash names an archive only to those who ask a service about it.
			HashJars: proto.Bool(false),
		}},
	}}})
	return archives{one}, err
}

// Extract finds the packages of the archive and of those within it. With an
// error there may be packages too.
func (a archives) Extract(ctx context.Context, input *filesystem.ScanInput) (scalibr.Inventory, error) {
	r, ok := input.Reader.(io.ReaderAt)
	if !ok {
		return scalibr.Inventory{}, errors.New("reading an archive needs random access")
	}
	return (&descent{one: a.Extractor}).level(ctx, input, r, 0)
}

// descent goes through one archive and those within it, and adds up what they
// cost.
type descent struct {
	one      filesystem.Extractor // of a single level
	entries  int
	inflated uint64
}

func (d *descent) level(ctx context.Context, input *filesystem.ScanInput, r io.ReaderAt, depth int) (scalibr.Inventory, error) {
	files, err := d.directory(r, input.Info.Size())
	if err != nil {
		return scalibr.Inventory{}, err
	}
	found, err := d.described(ctx, input, files)
	for _, f := range files {
		if ctx.Err() != nil {
			return found, ctx.Err()
		}
		if !archive.IsArchive(f.Name) || f.FileInfo().IsDir() {
			continue
		}
		within, nestedErr := d.nested(ctx, input, f, depth+1)
		found.Append(within)
		err = errors.Join(err, nestedErr)
	}
	return found, err
}

// directory lists what is in an archive.
func (d *descent) directory(r io.ReaderAt, size int64) ([]*zip.File, error) {
	metered := &meteredReader{r, maxDirectory}
	z, err := zip.NewReader(metered, size)
	if err != nil {
		return nil, fmt.Errorf("reading the archive: %w", err)
	}
	metered.left = math.MaxInt64 // contents have bounds of their own
	if d.entries += len(z.File); d.entries > maxEntries {
		return nil, fmt.Errorf("the archive has more than %d entries: not read", maxEntries)
	}
	return z.File, nil
}

// described finds what the archive says that it is.
func (d *descent) described(ctx context.Context, input *filesystem.ScanInput, files []*zip.File) (scalibr.Inventory, error) {
	for _, f := range files {
		switch strings.ToLower(path.Base(f.Name)) {
		case "manifest.mf", "pom.properties":
			if f.UncompressedSize64 > maxDescription {
				return scalibr.Inventory{}, fmt.Errorf("%s: more than %d MiB: what describes the archive is not read", f.Name, maxDescription/mib)
			}
		}
	}
	found, err := d.one.Extract(ctx, input)
	return found, withoutDepth(err)
}

func (d *descent) nested(ctx context.Context, outer *filesystem.ScanInput, f *zip.File, depth int) (scalibr.Inventory, error) {
	if depth > maxNesting || f.UncompressedSize64 > maxNested {
		return scalibr.Inventory{}, fmt.Errorf("%s: not opened: more than %d MiB, or %d archives deep", f.Name, maxNested/mib, maxNesting)
	}
	if d.inflated += f.UncompressedSize64; d.inflated > maxInflated {
		return scalibr.Inventory{}, fmt.Errorf("%s: not opened: more than %d MiB of archives within one", f.Name, maxInflated/mib)
	}
	content, err := f.Open()
	if err != nil {
		return scalibr.Inventory{}, fmt.Errorf("%s: %w", f.Name, err)
	}
	defer content.Close()
	text := make([]byte, f.UncompressedSize64)
	if _, err := io.ReadFull(content, text); err != nil {
		return scalibr.Inventory{}, fmt.Errorf("%s: %w", f.Name, err)
	}
	r := bytes.NewReader(text)
	found, err := d.level(ctx, &filesystem.ScanInput{
		FS: outer.FS, Path: path.Join(outer.Path, f.Name), Info: sized{f.FileInfo(), int64(len(text))}, Reader: r,
	}, r, depth)
	if err != nil {
		err = fmt.Errorf("%s: %w", f.Name, err)
	}
	return found, err
}

// sized is a file's information with the size that was read.
type sized struct {
	fs.FileInfo
	size int64
}

func (s sized) Size() int64 { return s.size }

// withoutDepth drops the complaints about nested archives, which are opened
// here. SCALIBR gives them no type of their own.
func withoutDepth(err error) error {
	var kept []error
	for _, e := range multierr.Errors(unwrapOnce(err)) {
		if !strings.Contains(e.Error(), "reached max zip depth") {
			kept = append(kept, e)
		}
	}
	return errors.Join(kept...)
}

// unwrapOnce takes off the extractor's "error(s) in extractor …".
func unwrapOnce(err error) error {
	if inner := errors.Unwrap(err); inner != nil {
		return inner
	}
	return err
}
