package feed

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// What a web server may cost.
const (
	maxArchive     = 4 << 30 // bytes of an all.zip
	maxEcosystems  = 1 << 20 // bytes of ecosystems.txt
	connectTimeout = 15 * time.Second
	headerTimeout  = 60 * time.Second // until a server answers
	stallTimeout   = 60 * time.Second // without a byte
)

// website is a feed behind a URL.
type website struct {
	base   *url.URL
	client *http.Client
	stall  time.Duration
}

func newWebsite(base *url.URL, client *http.Client) website {
	if client == nil {
		transport := http.DefaultTransport.(*http.Transport).Clone() // proxies, HTTP/2
		transport.DialContext = (&net.Dialer{Timeout: connectTimeout}).DialContext
		transport.TLSHandshakeTimeout = connectTimeout
		transport.ResponseHeaderTimeout = headerTimeout
		client = &http.Client{Transport: transport}
	}
	return website{base, client, stallTimeout}
}

func (w website) String() string { return w.base.Redacted() }

// ecosystems reads ecosystems.txt, one name a line. OSV's own has some that are
// none ("[EMPTY]"): whatever cannot be the name of an ecosystem is left out.
func (w website) ecosystems(ctx context.Context) ([]string, error) {
	var text strings.Builder
	if err := w.get(ctx, w.base.JoinPath("ecosystems.txt"), &text, maxEcosystems); err != nil {
		return nil, err
	}
	var names []string
	for lines := bufio.NewScanner(strings.NewReader(text.String())); lines.Scan(); {
		name := strings.TrimSpace(lines.Text())
		if ecosystemName.MatchString(name) && !strings.Contains(name, ":") {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("%s: no ecosystem in it", w.base.JoinPath("ecosystems.txt").Redacted())
	}
	return withoutSubsets(names), nil
}

// archives downloads one archive after another. Their files have names of our own.
func (w website) archives(ctx context.Context, ecosystems []string, scratch string) ([]archive, error) {
	files := os.DirFS(scratch)
	archives := make([]archive, len(ecosystems))
	for i, name := range ecosystems {
		u := w.base.JoinPath(url.PathEscape(name), "all.zip")
		path := fmt.Sprintf("%d.zip", i)
		if err := w.download(ctx, u, filepath.Join(scratch, path)); err != nil {
			return nil, err
		}
		archives[i] = archive{ecosystem: name, url: u.Redacted(), fsys: files, path: path}
	}
	return archives, nil
}

func (w website) download(ctx context.Context, u *url.URL, path string) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return w.get(ctx, u, f, maxArchive)
}

// get copies what the URL has to the writer: all of it, and no more than limit
// bytes. A server that falls silent is given up.
func (w website) get(ctx context.Context, u *url.URL, to io.Writer, limit int64) (err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer func() {
		if err == nil {
			return
		}
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		// The client's own error repeats the method and the URL.
		if inner := (*url.Error)(nil); errors.As(err, &inner) {
			err = inner.Err
		}
		err = fmt.Errorf("%s: %w", u.Redacted(), err)
	}()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return err
	}
	request.Header.Set("User-Agent", "patrol")
	response, err := w.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the server answered %s", response.Status)
	}
	silence := time.AfterFunc(w.stall, func() { cancel(fmt.Errorf("no data for %s", w.stall)) })
	defer silence.Stop()
	body := &watched{io.LimitReader(response.Body, limit+1), func() { silence.Reset(w.stall) }}
	n, err := io.Copy(to, body)
	switch {
	case err != nil:
		return fmt.Errorf("after %d bytes: %w", n, err)
	case n > limit:
		return fmt.Errorf("more than %d bytes", limit)
	}
	return nil
}

// watched is a reader that tells of progress.
type watched struct {
	io.Reader
	progress func()
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	if n > 0 {
		w.progress()
	}
	return n, err
}
