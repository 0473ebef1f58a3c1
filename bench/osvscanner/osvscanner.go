// Package osvscanner runs osv-scanner beside Patrol: offline, with the feed that
// Patrol has, and as its manual says.
package osvscanner

import (
	"archive/zip"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// ErrMissing says what to do where there is no osv-scanner.
var ErrMissing = errors.New("osv-scanner is not on PATH: go install github.com/google/osv-scanner/v2/cmd/osv-scanner@v2.5.0")

// Scanner is an osv-scanner with a feed.
type Scanner struct{ program, known, config string }

// elsewhere are ecosystems of packages that it may find and the feed may lack.
// It ends matching, for all ecosystems, at the first one that it has no file of.
var elsewhere = []string{"Alpine", "Bitnami", "GIT", "Hackage", "Hex", "Maven", "npm", "NuGet", "Packagist", "Pub", "RubyGems", "Ubuntu"}

// New lays out in dir what osv-scanner takes for its database: the files of feed,
// a directory laid out as OSV publishes, and empty ones of other ecosystems.
func New(feed, dir string) (*Scanner, error) {
	program, err := exec.LookPath("osv-scanner")
	if err != nil {
		return nil, ErrMissing
	}
	if feed, err = filepath.Abs(feed); err != nil {
		return nil, err
	}
	s := &Scanner{program, filepath.Join(dir, "known"), filepath.Join(dir, "osv-scanner.toml")}
	// Without a configuration of its own it obeys those that lie in the scanned tree.
	if err := os.WriteFile(s.config, nil, 0o600); err != nil {
		return nil, err
	}
	base := filepath.Join(s.known, "osv-scalibr")
	if err := os.MkdirAll(base, 0o700); err != nil {
		return nil, err
	}
	ecosystems, err := os.ReadDir(feed)
	if err != nil {
		return nil, err
	}
	for _, e := range ecosystems {
		if err := os.Symlink(filepath.Join(feed, e.Name()), filepath.Join(base, e.Name())); err != nil {
			return nil, err
		}
	}
	var empty bytes.Buffer
	if err := zip.NewWriter(&empty).Close(); err != nil {
		return nil, err
	}
	for _, name := range elsewhere {
		if _, err := os.Stat(filepath.Join(base, name)); err == nil {
			continue
		}
		if err := os.Mkdir(filepath.Join(base, name), 0o700); err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(base, name, "all.zip"), empty.Bytes(), 0o600); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Version is as it prints it: "2.5.0".
func (s *Scanner) Version(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, s.program, "--version").Output()
	if err != nil {
		return "", fmt.Errorf("osv-scanner --version: %w", err)
	}
	_, version, _ := strings.Cut(string(out), "version: ")
	version, _, _ = strings.Cut(version, "\n")
	return version, nil
}

// installed are the plugins that find what is installed. Without os/rpm, which
// is not among its artifacts, it knows no rpm database.
var installed = []string{"--experimental-no-default-plugins", "--experimental-plugins", "artifact", "--experimental-plugins", "os/rpm"}

// Archive scans an image in a `docker save` archive.
func (s *Scanner) Archive(ctx context.Context, file, report string) *Run {
	return s.run(ctx, report, []string{"scan", "image", "--archive"}, installed, []string{file})
}

// Tree scans a directory with the plugins for images. Of package databases it
// sees those at their places below /, since / is what it takes for the root.
func (s *Scanner) Tree(ctx context.Context, dir string, exclude []string, report string) *Run {
	var skip []string
	for _, e := range exclude {
		skip = append(skip, "--experimental-exclude", e)
	}
	return s.run(ctx, report, []string{"scan", "source", "--recursive", "--no-ignore", "--no-resolve"}, installed, skip, []string{dir})
}

// SBOM scans a CycloneDX document, whose name says so: "x.cdx.json".
func (s *Scanner) SBOM(ctx context.Context, file, report string) *Run {
	return s.run(ctx, report, []string{"scan", "source", "--no-resolve", "--lockfile", file})
}

func (s *Scanner) run(ctx context.Context, report string, args ...[]string) *Run {
	r := &Run{report: report}
	common := []string{"--config", s.config, "--offline", "--local-db-path", s.known, "--all-packages", "--format", "json", "--output-file", report}
	line := args[0]
	for _, more := range append([][]string{common}, args[1:]...) {
		line = append(line, more...)
	}
	r.Cmd = exec.CommandContext(ctx, s.program, line...)
	r.Stdout, r.Stderr = &r.log, &r.log
	return r
}

// Run is one run that writes its report to a file.
type Run struct {
	*exec.Cmd
	report string
	log    bytes.Buffer
}

// lost is what it logs where it ends matching early, and what it ends with.
var lost = regexp.MustCompile(`could not load db.*|\(extracting as vulnmatch/.*`)

// Run runs it to its end. That it found something is no error, though it exits 1.
func (r *Run) Run() error {
	err := r.Cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 1 {
		err = nil
	}
	if why := lost.Find(r.log.Bytes()); why != nil {
		err = cmp.Or(err, errors.New(string(why)))
	}
	if info, statErr := os.Stat(r.report); err == nil && (statErr != nil || info.Size() == 0) {
		err = errors.New("it wrote no report")
	}
	if err != nil {
		return fmt.Errorf("osv-scanner %s: %w: %s", strings.Join(r.Args[1:], " "), err, tail(r.log.Bytes()))
	}
	return nil
}

// tail is the end of a log, which may name a file a line.
func tail(log []byte) []byte {
	const enough = 2 << 10
	return log[max(0, len(log)-enough):]
}
