package collect

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/google/osv-scalibr/extractor"
	"github.com/google/osv-scalibr/extractor/filesystem"
	"github.com/google/osv-scalibr/extractor/filesystem/language/javascript/packagelockjson"
	scalibr "github.com/google/osv-scalibr/inventory"
	"github.com/google/osv-scalibr/purl"

	cpb "github.com/google/osv-scalibr/binary/proto/config_go_proto"
)

// packageLock reads npm's package-lock.json and npm-shrinkwrap.json. SCALIBR's
// own reader looks up the line of each package from the start of the file: half
// a minute for 4 MiB, which is what a large application has.
type packageLock struct{ filesystem.Extractor }

func newPackageLock(cfg *cpb.PluginConfig) (filesystem.Extractor, error) {
	ex, err := packagelockjson.New(cfg)
	return packageLock{ex}, err
}

// lockedPackage is an entry of "packages", which lock files have since version 2.
type lockedPackage struct {
	Name    string `json:"name"` // where it is not that of the directory
	Version string `json:"version"`
	Link    bool   `json:"link"` // to a directory of the project
}

// lockedDependency is an entry of "dependencies", from before; they nest.
type lockedDependency struct {
	Version      string                      `json:"version"`
	Dependencies map[string]lockedDependency `json:"dependencies"`
}

// Extract lists the packages that come from a registry.
func (packageLock) Extract(ctx context.Context, input *filesystem.ScanInput) (scalibr.Inventory, error) {
	var lock struct {
		Packages     map[string]lockedPackage `json:"packages"`
		Dependencies json.RawMessage          `json:"dependencies"` // version 2 has both
	}
	if err := json.NewDecoder(input.Reader).Decode(&lock); err != nil {
		return scalibr.Inventory{}, fmt.Errorf("reading the lock file: %w", err)
	}
	var found scalibr.Inventory
	add := func(name, version string) {
		// Versions with a colon are places: a file, an address, a repository.
		if version != "" && !strings.Contains(version, ":") {
			found.Packages = append(found.Packages, &extractor.Package{Name: name, Version: version, PURLType: purl.TypeNPM})
		}
	}
	for place, p := range lock.Packages {
		const modules = "node_modules/"
		// What is not below node_modules is the project itself.
		if i := strings.LastIndex(place, modules); i >= 0 && !p.Link {
			add(cmp.Or(p.Name, place[i+len(modules):]), p.Version)
		}
	}
	if lock.Packages != nil || lock.Dependencies == nil {
		return found, ctx.Err()
	}
	var dependencies map[string]lockedDependency
	if err := json.Unmarshal(lock.Dependencies, &dependencies); err != nil {
		return found, fmt.Errorf("reading the lock file's dependencies: %w", err)
	}
	walkDependencies(dependencies, add)
	return found, ctx.Err()
}

func walkDependencies(dependencies map[string]lockedDependency, add func(name, version string)) {
	for name, p := range dependencies {
		version := p.Version
		// An alias: "npm:real@1.2.3".
		if alias, ok := strings.CutPrefix(version, "npm:"); ok {
			if i := strings.LastIndexByte(alias, '@'); i > 0 {
				name, version = alias[:i], alias[i+1:]
			}
		}
		add(name, version)
		walkDependencies(p.Dependencies, add)
	}
}
