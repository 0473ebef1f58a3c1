package collect

import (
	"fmt"
	"path"
	"strings"
	"sync"

	"github.com/google/osv-scalibr/extractor"
	"github.com/google/osv-scalibr/extractor/filesystem"
	"github.com/google/osv-scalibr/log"

	cpb "github.com/google/osv-scalibr/binary/proto/config_go_proto"

	"github.com/google/osv-scalibr/extractor/filesystem/language/dart/pubspec"
	"github.com/google/osv-scalibr/extractor/filesystem/language/dotnet/depsjson"
	"github.com/google/osv-scalibr/extractor/filesystem/language/dotnet/packageslockjson"
	"github.com/google/osv-scalibr/extractor/filesystem/language/erlang/mixlock"
	"github.com/google/osv-scalibr/extractor/filesystem/language/golang/gobinary"
	"github.com/google/osv-scalibr/extractor/filesystem/language/golang/gomod"
	"github.com/google/osv-scalibr/extractor/filesystem/language/java/gradlelockfile"
	"github.com/google/osv-scalibr/extractor/filesystem/language/javascript/bunlock"
	"github.com/google/osv-scalibr/extractor/filesystem/language/javascript/packagejson"
	"github.com/google/osv-scalibr/extractor/filesystem/language/javascript/pnpmlock"
	"github.com/google/osv-scalibr/extractor/filesystem/language/javascript/yarnlock"
	"github.com/google/osv-scalibr/extractor/filesystem/language/php/composerlock"
	"github.com/google/osv-scalibr/extractor/filesystem/language/python/pdmlock"
	"github.com/google/osv-scalibr/extractor/filesystem/language/python/pipfilelock"
	"github.com/google/osv-scalibr/extractor/filesystem/language/python/poetrylock"
	"github.com/google/osv-scalibr/extractor/filesystem/language/python/requirements"
	"github.com/google/osv-scalibr/extractor/filesystem/language/python/uvlock"
	"github.com/google/osv-scalibr/extractor/filesystem/language/python/wheelegg"
	"github.com/google/osv-scalibr/extractor/filesystem/language/ruby/gemfilelock"
	"github.com/google/osv-scalibr/extractor/filesystem/language/ruby/gemspec"
	"github.com/google/osv-scalibr/extractor/filesystem/language/rust/cargolock"
	"github.com/google/osv-scalibr/extractor/filesystem/os/apk"
	"github.com/google/osv-scalibr/extractor/filesystem/os/dpkg"
	"github.com/google/osv-scalibr/extractor/filesystem/os/pacman"
)

// source is one kind of file that tells what is installed, and who reads it.
type source struct {
	// files are what its files are called: a name ("go.mod"), an ending
	// ("*.jar") or a directory ("var/lib/dpkg/"). They only spare asking the
	// extractor about every file; its FileRequired has the last word.
	files     []string
	extractor filesystem.Extractor
	// accepts narrows FileRequired down to what is truly installed; may be nil.
	accepts func(file string) bool
	// keeps drops what the extractor finds but is not installed; may be nil.
	keeps func(*extractor.Package) bool
	// database tells that one file holds many packages, which layers of an image
	// rewrite as they add to it.
	database bool
	// limit is the size in bytes of the largest file read. It is low where the
	// extractor holds a file in memory: parsed JSON is many times its text.
	limit int64
}

const (
	mib         = 1 << 20
	streamed    = 1 << 40  // read piece by piece: the size does not matter
	everything  = 32 * mib // a distribution's packages
	inMemory    = 4 * mib  // parsed JSON and YAML are up to a hundred times their text
	quadratic   = 1 * mib  // held in memory, and searched from the start for each package
	description = 2 * mib  // one package's description
)

// scalibrSources returns every source; owned, unless it is nil, is told of the
// files that packages claim. Not among them:
//   - dotnet/pe: assembly names and versions are not those of NuGet packages;
//   - ruby/gem, *.whl and *.egg archives in a cache: not installed;
//   - *.csproj, pom.xml, package.json of a project: wishes, not versions.
func scalibrSources(owned *ownedFiles) ([]*source, error) {
	quietScalibr()
	var b sourceBuilder
	b.add(stanzas(dpkg.New), source{files: []string{"var/lib/dpkg/", "var/lib/dpkg/status.d/", "usr/lib/opkg/"}, database: true, limit: everything})
	b.add(stanzas(apk.New), source{files: []string{"installed"}, database: true, limit: everything})
	b.add(newRPM(owned), source{files: []string{"Packages", "Packages.db", "rpmdb.sqlite"}, database: true, limit: streamed})
	b.add(pacman.New, source{files: []string{"desc"}, limit: description})

	b.add(metered(gobinary.New), source{files: []string{executable}, limit: streamed})
	b.add(metered(newAuditable), source{files: []string{executable}, limit: streamed})
	// Not wheels: they are what pip installs from, and unpacked when installed.
	b.add(wheelegg.New, source{files: []string{"PKG-INFO", "METADATA", "*.egg-info"}, limit: description})
	b.add(newEggs, source{files: []string{"*.egg"}, limit: 4 * inMemory})
	b.add(packagejson.New, source{files: []string{"package.json"}, accepts: inNodeModules, limit: description})
	b.add(gemspec.New, source{files: []string{"*.gemspec"}, accepts: inSpecifications, limit: description})
	b.add(newComposerInstalled, source{files: []string{"installed.json"}, limit: inMemory})
	b.add(newArchives, source{
		files: []string{"*.jar", "*.war", "*.ear", "*.jmod", "*.par", "*.sar", "*.jpi", "*.hpi", "*.lpkg", "*.nar"},
		limit: streamed,
	})
	b.add(depsjson.New, source{files: []string{"*.json"}, keeps: isNuGetPackage, limit: inMemory})

	b.lock(newPackageLock, "package-lock.json", "npm-shrinkwrap.json").limit = 2 * inMemory // no more than a third of it is kept
	b.lock(yarnlock.New, "yarn.lock")
	b.lock(pnpmlock.New, "pnpm-lock.yaml").limit = 3 * mib
	b.lock(bunlock.New, "bun.lock").limit = quadratic
	required := b.lock(requirements.New, "*.txt")
	required.keeps, required.limit = isPinned, description
	b.lock(shallow(poetrylock.New), "poetry.lock")
	b.lock(pipfilelock.New, "Pipfile.lock").limit = description
	b.lock(shallow(uvlock.New), "uv.lock")
	b.lock(shallow(pdmlock.New), "pdm.lock")
	b.lock(gemfilelock.New, "Gemfile.lock", "gems.locked")
	b.lock(shallow(cargolock.New), "Cargo.lock")
	// The go directive is the least version that will do, not the one in use.
	b.lock(gomod.New, "go.mod").keeps = func(p *extractor.Package) bool { return p.Name != "stdlib" }
	b.lock(gradlelockfile.New, "gradle.lockfile", "buildscript-gradle.lockfile")
	b.lock(composerlock.New, "composer.lock").limit = quadratic
	b.lock(packageslockjson.New, "packages.lock.json")
	b.lock(mixlock.New, "mix.lock")
	b.lock(pubspec.New, "pubspec.lock").limit = quadratic
	return b.sources, b.err
}

// sourceBuilder keeps the first error, so that the list above stays a list.
type sourceBuilder struct {
	sources []*source
	err     error
}

func (b *sourceBuilder) add(constructor construct, s source) *source {
	ex, err := constructor(scalibrConfig)
	if err != nil && b.err == nil {
		b.err = fmt.Errorf("setting up the extractors: %w", err)
	}
	s.extractor = ex
	b.sources = append(b.sources, &s)
	return &s
}

// lock adds a lock file. It counts where it was deployed with an application.
func (b *sourceBuilder) lock(constructor construct, files ...string) *source {
	return b.add(constructor, source{
		files: files, limit: inMemory,
		accepts: func(file string) bool { return !inForeignTree(file) },
	})
}

// scalibrConfig: a file that an extractor finds too large it passes over without a
// word; here a source's limit is, and a warning. And dpkg's own filter knows
// "installed" alone, so that all entries are asked for and judged by their status.
var scalibrConfig = &cpb.PluginConfig{MaxFileSizeBytes: streamed, PluginSpecific: []*cpb.PluginSpecificConfig{{
	Config: &cpb.PluginSpecificConfig_Dpkg{Dpkg: &cpb.DpkgConfig{IncludeNotInstalled: true}},
}}}

// isNuGetPackage: a deps.json lists the application itself as a "project", and
// the runtime it brings along as a "runtimepack", which is a package as well.
func isNuGetPackage(p *extractor.Package) bool {
	m, ok := p.Metadata.(*depsjson.Metadata)
	return ok && (m.Type == "package" || m.Type == "runtimepack")
}

// isPinned: only a requirement of one exact version tells what is installed.
func isPinned(p *extractor.Package) bool {
	m, ok := p.Metadata.(*requirements.Metadata)
	return ok && strings.HasPrefix(m.VersionComparator, "==") && !strings.Contains(p.Version, "*")
}

// quietScalibr silences SCALIBR's logger, a global without a lock: what went
// wrong with a file is in the error that its extractor returns.
var quietScalibr = sync.OnceFunc(func() { log.SetLogger(silent{}) })

type silent struct{}

func (silent) Errorf(string, ...any) {}
func (silent) Error(...any)          {}
func (silent) Warnf(string, ...any)  {}
func (silent) Warn(...any)           {}
func (silent) Infof(string, ...any)  {}
func (silent) Info(...any)           {}
func (silent) Debugf(string, ...any) {}
func (silent) Debug(...any)          {}

// sourceIndex finds the sources of a file by its name, at the cost of three map
// look-ups for the many files that have none.
type sourceIndex struct {
	byName, byEnding, byDir map[string][]*source
	executables             []*source
}

// executable stands for files that are run: what is inside decides, not the name.
const executable = "(executable)"

func newSourceIndex(sources []*source) *sourceIndex {
	x := &sourceIndex{byName: map[string][]*source{}, byEnding: map[string][]*source{}, byDir: map[string][]*source{}}
	for _, s := range sources {
		for _, file := range s.files {
			if ending, ok := strings.CutPrefix(file, "*"); ok {
				x.byEnding[ending] = append(x.byEnding[ending], s)
			} else if dir, ok := strings.CutSuffix(file, "/"); ok {
				x.byDir[dir] = append(x.byDir[dir], s)
			} else if file == executable {
				x.executables = append(x.executables, s)
			} else {
				x.byName[file] = append(x.byName[file], s)
			}
		}
	}
	return x
}

// candidates returns the sources that may want the file, in dir and of that name.
func (x *sourceIndex) candidates(dir, name string) [3][]*source {
	return [3][]*source{x.byName[name], x.byEnding[strings.ToLower(path.Ext(name))], x.byDir[dir]}
}
