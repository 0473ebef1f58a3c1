package collect

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"strings"

	"github.com/google/osv-scalibr/extractor"
	"github.com/google/osv-scalibr/extractor/filesystem"
	scalibr "github.com/google/osv-scalibr/inventory"
	"github.com/google/osv-scalibr/plugin"
	"github.com/google/osv-scalibr/purl"

	cpb "github.com/google/osv-scalibr/binary/proto/config_go_proto"
)

// composerInstalled reads vendor/composer/installed.json: what Composer has
// installed for PHP. SCALIBR knows composer.lock alone, which images often lack.
type composerInstalled struct{}

func newComposerInstalled(*cpb.PluginConfig) (filesystem.Extractor, error) {
	return composerInstalled{}, nil
}

func (composerInstalled) Name() string                       { return "php/composerinstalled" }
func (composerInstalled) Version() int                       { return 0 }
func (composerInstalled) Requirements() *plugin.Capabilities { return &plugin.Capabilities{} }

func (composerInstalled) FileRequired(api filesystem.FileAPI) bool {
	return path.Base(path.Dir(api.Path())) == "composer"
}

type composerPackage struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// Extract reads both forms: an object with "packages" since Composer 2, before
// that the bare array.
func (composerInstalled) Extract(_ context.Context, input *filesystem.ScanInput) (scalibr.Inventory, error) {
	var text json.RawMessage
	if err := json.NewDecoder(input.Reader).Decode(&text); err != nil {
		return scalibr.Inventory{}, fmt.Errorf("reading installed.json: %w", err)
	}
	var installed struct {
		Packages []composerPackage `json:"packages"`
	}
	var into any = &installed
	if strings.HasPrefix(strings.TrimSpace(string(text[:1])), "[") {
		into = &installed.Packages
	}
	if err := json.Unmarshal(text, into); err != nil {
		return scalibr.Inventory{}, fmt.Errorf("reading installed.json: %w", err)
	}
	var found scalibr.Inventory
	for _, p := range installed.Packages {
		if p.Name == "" {
			continue
		}
		found.Packages = append(found.Packages, &extractor.Package{
			Name: p.Name, Version: p.Version, PURLType: purl.TypeComposer,
			Location: extractor.LocationFromPath(input.Path),
		})
	}
	return found, nil
}
