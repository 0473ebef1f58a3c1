package collect

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
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
	// maxEntries bounds the memory of an archive's own directory.
	maxEntries = 200_000
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
	return a.level(ctx, input, r, 0)
}

func (a archives) level(ctx context.Context, input *filesystem.ScanInput, r io.ReaderAt, depth int) (scalibr.Inventory, error) {
	files, err := zip.NewReader(r, input.Info.Size())
	if err != nil {
		return scalibr.Inventory{}, fmt.Errorf("reading the archive: %w", err)
	}
	if n := len(files.File); n > maxEntries {
		return scalibr.Inventory{}, fmt.Errorf("the archive has %d entries, more than %d: not read", n, maxEntries)
	}
	found, err := a.Extractor.Extract(ctx, input)
	err = withoutDepth(err)
	for _, f := range files.File {
		if ctx.Err() != nil {
			return found, ctx.Err()
		}
		if !archive.IsArchive(f.Name) || f.FileInfo().IsDir() {
			continue
		}
		within, nestedErr := a.nested(ctx, input, f, depth+1)
		found.Append(within)
		err = errors.Join(err, nestedErr)
	}
	return found, err
}

func (a archives) nested(ctx context.Context, outer *filesystem.ScanInput, f *zip.File, depth int) (scalibr.Inventory, error) {
	if depth > maxNesting || f.UncompressedSize64 > maxNested {
		return scalibr.Inventory{}, fmt.Errorf("%s: not opened: more than %d MiB, or %d archives deep", f.Name, maxNested/mib, maxNesting)
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
	found, err := a.level(ctx, &filesystem.ScanInput{
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
