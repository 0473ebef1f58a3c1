package feed

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"patrol/internal/match"
)

// origin is where a feed is published, laid out as OSV publishes its own.
type origin interface {
	// ecosystems lists what is published, sorted, without the subsets of others.
	ecosystems(ctx context.Context) ([]string, error)
	// archives brings the archives of the ecosystems within reach. It may keep
	// files in the directory of a mirror, for the next time.
	archives(ctx context.Context, ecosystems []string, mirror string) ([]archive, error)
	// String is the origin's address, without secrets.
	String() string
}

// newOrigin understands what --feed-url may be: an http or https URL, a file
// URL, or the path of a directory.
func newOrigin(address string, client *http.Client) (origin, error) {
	if address == "" {
		return nil, errors.New("no feed is named: give --feed-url a URL or a directory laid out as OSV publishes")
	}
	scheme, _, isURL := strings.Cut(address, "://")
	if !isURL {
		return newDirectory(address)
	}
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("feed URL: %w", errors.Unwrap(err)) // without the URL, which may have a password
	}
	switch {
	case u.Scheme == "file" && (u.Host == "" || u.Host == "localhost"):
		return newDirectory(u.Path)
	case (u.Scheme == "http" || u.Scheme == "https") && u.Host != "":
		return newWebsite(u, client), nil
	}
	return nil, fmt.Errorf("feed URL of scheme %q: it must be an http or https URL, or a directory", scheme)
}

// ecosystemName is what may be the name of an ecosystem, and so of a directory
// of the feed: it comes from a list that somebody else wrote.
var ecosystemName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9 ._+-]{0,63}(:[A-Za-z0-9 ._+-]{1,64})*$`)

// withoutSubsets sorts the names and leaves out those like "Debian:12", whose
// records the archive of "Debian" holds too.
func withoutSubsets(names []string) []string {
	names = slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		return name != match.Base(name) && slices.Contains(names, match.Base(name))
	})
	slices.Sort(names)
	return slices.Compact(names)
}

// directory is a feed in the file system.
type directory struct{ path string }

func newDirectory(path string) (directory, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return directory{}, err
	}
	switch info, err := os.Stat(path); {
	case err != nil:
		return directory{}, fmt.Errorf("feed directory: %w", err)
	case !info.IsDir():
		return directory{}, fmt.Errorf("feed directory: %s is not a directory", path)
	}
	return directory{path}, nil
}

func (d directory) String() string { return d.path }

func (d directory) ecosystems(context.Context) ([]string, error) {
	names, err := listEcosystems(os.DirFS(d.path))
	if err != nil {
		return nil, fmt.Errorf("feed directory %s: %w", d.path, err)
	}
	return names, nil
}

// listEcosystems returns the ecosystems of a directory. One that has a list of
// changes without the archive was not copied as a whole, and is an error.
func listEcosystems(files fs.FS) ([]string, error) {
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		name := e.Name()
		if !ecosystemName.MatchString(name) {
			continue
		}
		if _, err := fs.Stat(files, name+"/all.zip"); err == nil {
			names = append(names, name)
		} else if _, err := fs.Stat(files, name+"/modified_id.csv"); err == nil {
			return nil, fmt.Errorf("%s/all.zip is missing beside %s/modified_id.csv", name, name)
		}
	}
	if len(names) == 0 {
		return nil, errors.New("no <ECOSYSTEM>/all.zip in it, as OSV publishes")
	}
	return withoutSubsets(names), nil
}

func (d directory) archives(_ context.Context, ecosystems []string, _ string) ([]archive, error) {
	files := os.DirFS(d.path)
	archives := make([]archive, len(ecosystems))
	for i, name := range ecosystems {
		path := name + "/all.zip"
		archives[i] = archive{ecosystem: name, url: filepath.Join(d.path, path), fsys: files, path: path}
	}
	return archives, nil
}
