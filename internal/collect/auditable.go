package collect

import (
	"compress/zlib"
	"context"
	"debug/elf"
	"debug/macho"
	"debug/pe"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/google/osv-scalibr/extractor"
	"github.com/google/osv-scalibr/extractor/filesystem"
	"github.com/google/osv-scalibr/extractor/filesystem/language/rust/cargoauditable"
	scalibr "github.com/google/osv-scalibr/inventory"
	"github.com/google/osv-scalibr/purl"

	cpb "github.com/google/osv-scalibr/binary/proto/config_go_proto"
)

// auditable reads what cargo-auditable builds into a Rust executable: JSON,
// compressed by zlib, in a section. SCALIBR's own reader inflates as much as
// there is, be it a thousand times the section.
type auditable struct{ filesystem.Extractor }

func newAuditable(cfg *cpb.PluginConfig) (filesystem.Extractor, error) {
	ex, err := cargoauditable.New(cfg)
	return auditable{ex}, err
}

// maxAuditable is the size in bytes of the largest such JSON that is read. A
// thousand crates take 100 kB.
const maxAuditable = 8 * mib

// Extract lists the crates that run, not those that only built.
func (auditable) Extract(_ context.Context, input *filesystem.ScanInput) (scalibr.Inventory, error) {
	r, ok := input.Reader.(io.ReaderAt)
	if !ok {
		return scalibr.Inventory{}, errors.New("reading an executable needs random access")
	}
	section := auditSection(r)
	if section == nil {
		return scalibr.Inventory{}, nil
	}
	inflated, err := zlib.NewReader(section)
	if err != nil {
		return scalibr.Inventory{}, fmt.Errorf("section %s: %w", auditSectionName, err)
	}
	text, err := io.ReadAll(io.LimitReader(inflated, maxAuditable+1))
	if err == nil && len(text) > maxAuditable {
		err = fmt.Errorf("inflates to more than %d MiB: not read", maxAuditable/mib)
	}
	if err != nil {
		return scalibr.Inventory{}, fmt.Errorf("section %s: %w", auditSectionName, err)
	}
	var audit struct {
		Packages []struct {
			Name    string `json:"name"`
			Version string `json:"version"`
			Kind    string `json:"kind"` // "runtime" where it is not there
		} `json:"packages"`
	}
	if err := json.Unmarshal(text, &audit); err != nil {
		return scalibr.Inventory{}, fmt.Errorf("section %s: %w", auditSectionName, err)
	}
	var found scalibr.Inventory
	for _, p := range audit.Packages {
		if p.Name != "" && p.Kind != "build" {
			found.Packages = append(found.Packages, &extractor.Package{
				Name: p.Name, Version: p.Version, PURLType: purl.TypeCargo, Location: extractor.LocationFromPath(input.Path),
			})
		}
	}
	return found, nil
}

const auditSectionName = ".dep-v0"

// auditSection opens the section of an executable; nil if it has none, or is no
// executable that can be read.
func auditSection(r io.ReaderAt) io.Reader {
	if f, err := elf.NewFile(r); err == nil {
		if s := f.Section(auditSectionName); s != nil {
			return s.Open()
		}
		return nil
	}
	if f, err := pe.NewFile(r); err == nil {
		if s := f.Section(auditSectionName); s != nil {
			return s.Open()
		}
		return nil
	}
	if f, err := macho.NewFile(r); err == nil {
		if s := f.Section(auditSectionName); s != nil {
			return s.Open()
		}
	}
	return nil
}
