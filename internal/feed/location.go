package feed

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// location is where a source of intelligence is: an http or https URL, or a path.
type location struct {
	url  *url.URL // nil for a path
	path string
}

func newLocation(address string) (location, error) {
	scheme, _, hasScheme := strings.Cut(address, "://")
	if !hasScheme {
		path, err := filepath.Abs(address)
		return location{path: path}, err
	}
	u, err := url.Parse(address)
	if err != nil {
		return location{}, fmt.Errorf("URL: %w", errors.Unwrap(err)) // without the URL, which may have a password
	}
	switch {
	case u.Scheme == "file" && (u.Host == "" || u.Host == "localhost"):
		return location{path: u.Path}, nil
	case (u.Scheme == "http" || u.Scheme == "https") && u.Host != "":
		return location{url: u}, nil
	}
	return location{}, fmt.Errorf("URL of scheme %q: it must be an http or https URL, or a path", scheme)
}

// String is the address without secrets.
func (l location) String() string {
	if l.url != nil {
		return l.url.Redacted()
	}
	return l.path
}

func (l location) join(name string) location {
	if l.url != nil {
		return location{url: l.url.JoinPath(name)}
	}
	return location{path: filepath.Join(l.path, name)}
}

// fetcher brings what is at a location into a file.
type fetcher struct {
	web
	scratch string
}

// file returns a file with what is at the location, and what to know it by next
// time; errUnchanged if that is what one has. A file in the file system is read
// where it is.
func (f fetcher) file(ctx context.Context, at location, limit int64, have validators) (path string, now validators, err error) {
	if at.url == nil {
		info, err := os.Stat(at.path)
		if err != nil {
			return "", now, err
		}
		if !info.Mode().IsRegular() {
			return "", now, fmt.Errorf("%s is not a regular file", at.path)
		}
		now = validators{ETag: strconv.FormatInt(info.Size(), 10), LastModified: info.ModTime().UTC().Format(time.RFC3339Nano)}
		if now == have {
			return "", now, errUnchanged
		}
		return at.path, now, nil
	}
	to, err := os.CreateTemp(f.scratch, "*")
	if err != nil {
		return "", now, err
	}
	now, err = f.getIf(ctx, at.url, to, limit, have)
	return to.Name(), now, errors.Join(err, to.Close())
}

// openContent opens a file, and inflates it if it is gzip: servers and mirrors
// differ in whether they do.
func openContent(file string) (io.ReadCloser, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	buffered := bufio.NewReaderSize(f, 64<<10)
	if magic, _ := buffered.Peek(2); string(magic) != "\x1f\x8b" {
		return &opened{buffered, f}, nil
	}
	inflated, err := gzip.NewReader(buffered)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &opened{io.LimitReader(inflated, maxInflated), f}, nil
}

// maxInflated is what a source may inflate to: NVD's largest year has 200 MiB.
const maxInflated = 4 << 30

type opened struct {
	io.Reader
	file io.Closer
}

func (o *opened) Close() error { return o.file.Close() }
