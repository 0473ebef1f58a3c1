package feed

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// Changed records are fetched one by one while they are fewer than one in so
	// many: beyond, the archive costs less.
	singleShare = 20
	// maxSingle bounds what the list may ask for where the archive lacks it.
	maxSingle = 20_000
	// maxList is the size of a modified_id.csv: 1.5 million records.
	maxList = 64 << 20
	// fewGone is how many ids may be missing from the list whatever their share.
	fewGone = 10
)

// archives brings the mirror up to date, one ecosystem after another.
func (w website) archives(ctx context.Context, ecosystems []string, mirror string) ([]archive, error) {
	if err := pruneMirror(mirror, ecosystems); err != nil {
		return nil, err
	}
	files := os.DirFS(mirror)
	archives := make([]archive, len(ecosystems))
	for i, name := range ecosystems {
		u := w.base.JoinPath(url.PathEscape(name))
		r := refresh{website: w, base: u, dir: mirror, ecosystem: name}
		if err := r.run(ctx); err != nil {
			return nil, err
		}
		path := filepath.Base(mirrorFile(mirror, name, ".zip"))
		archives[i] = archive{ecosystem: name, url: r.archiveURL().Redacted(), fsys: files, path: path, sum: r.copy.Sum}
	}
	return archives, nil
}

// refresh brings the copy of one ecosystem up to date.
type refresh struct {
	website
	base      *url.URL
	dir       string
	ecosystem string
	copy      *copied // nil until there is one
}

func (r *refresh) archiveURL() *url.URL { return r.base.JoinPath("all.zip") }

// run compares what the site lists with what is here, whole id sets, for the list
// shows by absence alone that a record was deleted. List and archive are not
// written at the same moment: either can be ahead of the other.
func (r *refresh) run(ctx context.Context) error {
	r.copy = loadCopy(r.dir, r.ecosystem, r.archiveURL().Redacted())
	var have validators
	if r.copy != nil {
		have = r.copy.List
	}
	list, now, err := r.list(ctx, have)
	switch {
	case errors.Is(err, errUnchanged):
		return nil
	case unlisted(err):
		return r.download(ctx)
	case err != nil:
		return err
	}
	if r.copy != nil {
		d := r.copy.Records.compare(list)
		if (len(d.changed)+len(d.gone))*singleShare < len(list) {
			err := r.apply(ctx, d, now, false)
			if !errors.Is(err, errNotPublished) {
				return err
			}
		}
	}
	if err := r.download(ctx); err != nil {
		return err
	}
	d := r.copy.Records.compare(list)
	switch {
	case len(d.gone) > fewGone && len(d.gone)*singleShare > len(r.copy.Records):
		return fmt.Errorf("%s: it lacks %d of the %d records that all.zip has: one of the two is not whole", r.listURL().Redacted(), len(d.gone), len(r.copy.Records))
	case len(d.changed) > maxSingle:
		return fmt.Errorf("%s: it lacks %d of the %d records that modified_id.csv lists", r.archiveURL().Redacted(), len(d.changed), len(list))
	}
	return r.apply(ctx, d, now, true)
}

// unlisted tells whether the site has no list, as a plain copy of the archives
// may have none. Object storage answers 403 for what is not there.
func unlisted(err error) bool {
	var status statusError
	return notFound(err) || errors.As(err, &status) && status.code == http.StatusForbidden
}

func (r *refresh) listURL() *url.URL { return r.base.JoinPath("modified_id.csv") }

// list reads modified_id.csv: a line a record, when it was modified and its id.
func (r *refresh) list(ctx context.Context, have validators) (list map[string]time.Time, now validators, err error) {
	var text bytes.Buffer
	if now, err = r.getIf(ctx, r.listURL(), &text, maxList, have); err != nil {
		return nil, now, err
	}
	if list, err = readList(&text); err != nil {
		return nil, now, fmt.Errorf("%s: %w", r.listURL().Redacted(), err)
	}
	return list, now, nil
}

// recordID is what may be the id of a record, and so a part of a URL and the name
// of an entry.
var recordID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9:._+-]{0,254}$`)

func readList(text io.Reader) (map[string]time.Time, error) {
	list := make(map[string]time.Time)
	number := 0
	lines := bufio.NewScanner(text)
	for lines.Scan() {
		number++
		when, id, _ := strings.Cut(strings.TrimSuffix(lines.Text(), "\r"), ",")
		modified, err := time.Parse(time.RFC3339, when)
		if err != nil || !recordID.MatchString(id) {
			return nil, fmt.Errorf("line %d is %.80q where a time and an id were expected", number, lines.Text())
		}
		list[id] = modified
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("after line %d: %w", number, err)
	}
	if len(list) == 0 {
		return nil, errors.New("no records in it")
	}
	return list, nil
}

// difference is what is to be done to have what a list says; both are sorted.
type difference struct{ changed, gone []string }

// compare returns what is listed as newer than it is here, or is not here, and
// what is no longer listed. What was modified after everything that is listed is
// not gone: the list is behind.
func (have inventory) compare(list map[string]time.Time) (d difference) {
	var newest time.Time
	for id, modified := range list {
		if here, ok := have[id]; !ok || modified.Truncate(time.Second).After(here.Modified) {
			d.changed = append(d.changed, id)
		}
		if modified.After(newest) {
			newest = modified
		}
	}
	for id, here := range have {
		if _, ok := list[id]; !ok && !here.Modified.After(newest) {
			d.gone = append(d.gone, id)
		}
	}
	slices.Sort(d.changed)
	slices.Sort(d.gone)
	return d
}

// download fetches the archive, unless it is the one that was fetched last.
func (r *refresh) download(ctx context.Context) error {
	var have validators
	if r.copy != nil {
		have = r.copy.Archive
	}
	to, err := os.CreateTemp(r.dir, temporaryPrefix+"*")
	if err != nil {
		return err
	}
	defer os.Remove(to.Name()) // gone by then if all went well
	h := sha256.New()
	now, err := r.getIf(ctx, r.archiveURL(), io.MultiWriter(to, h), maxArchive, have)
	if err := errors.Join(err, to.Close()); err != nil {
		if errors.Is(err, errUnchanged) {
			return nil
		}
		return err
	}
	fresh := &copied{URL: r.archiveURL().Redacted(), Archive: now}
	if err := fresh.replace(ctx, r.dir, r.ecosystem, to.Name(), hex.EncodeToString(h.Sum(nil))); err != nil {
		return err
	}
	r.copy = fresh
	return nil
}

// errNotPublished says that a record is listed that is not there.
var errNotPublished = errors.New("listed but not published")

// apply fetches what has changed and drops what is gone. A record that is listed
// but not there was deleted after the list was written; it is dropped only where
// the archive has been looked at too.
func (r *refresh) apply(ctx context.Context, d difference, list validators, drop bool) error {
	r.copy.List = list
	if len(d.changed)+len(d.gone) == 0 {
		return r.copy.save(r.dir, r.ecosystem)
	}
	w, err := r.copy.rewrite(r.dir, r.ecosystem, slices.Concat(d.changed, d.gone))
	if err != nil {
		return err
	}
	if err := r.fetch(ctx, d.changed, drop, w); err != nil {
		return errors.Join(err, w.abandon())
	}
	file, sum, err := w.finish()
	if err != nil {
		return err
	}
	if err := r.copy.replace(ctx, r.dir, r.ecosystem, file, sum); err != nil {
		return errors.Join(err, os.RemoveAll(file))
	}
	return nil
}

// fetch writes single records into the archive, some at the same time.
func (r *refresh) fetch(ctx context.Context, ids []string, drop bool, to *rewriter) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(singleRequests)
	var one sync.Mutex
	for _, id := range ids {
		group.Go(func() error {
			record, err := r.record(ctx, id)
			if drop && errors.Is(err, errNotPublished) {
				return nil
			}
			if err != nil {
				return err
			}
			one.Lock()
			defer one.Unlock()
			return to.add(id, record)
		})
	}
	return group.Wait()
}

func (r *refresh) record(ctx context.Context, id string) ([]byte, error) {
	u := r.base.JoinPath(url.PathEscape(id) + ".json")
	var text bytes.Buffer
	if err := r.get(ctx, u, &text, defaultLimits.entry); notFound(err) {
		return nil, fmt.Errorf("%s: %w", u.Redacted(), errNotPublished)
	} else if err != nil {
		return nil, err
	}
	switch h, err := decodeHeader(text.Bytes()); {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", u.Redacted(), err)
	case h.ID != id:
		return nil, fmt.Errorf("%s: it is record %.80q", u.Redacted(), h.ID)
	}
	return text.Bytes(), nil
}
