package feed

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A mirror keeps, of what a web site published last, the archive of each
// ecosystem, with single records replaced since, so that the next update asks
// only for what has changed:
//
//	<ecosystem>.zip    what all.zip would be
//	<ecosystem>.json   a copy: what it is and what to know it by
//
// A revision is always compiled from whole archives, so that it cannot depend on
// the way they came here.

// copied describes the archive of an ecosystem in a mirror.
type copied struct {
	URL string `json:"url"` // of the all.zip
	// Archive and List are of the all.zip and the modified_id.csv that were last
	// read.
	Archive validators `json:"archive"`
	List    validators `json:"list"`
	// Sum is the SHA-256 of the file, and Size and Written are what tell a
	// file that is another one from it.
	Sum     string    `json:"sum"`
	Size    int64     `json:"size"`
	Written time.Time `json:"written"`
	Records inventory `json:"records"`
}

// inventory is what an archive holds: id → when it was modified and where it stands.
type inventory map[string]held

type held struct {
	Modified time.Time `json:"modified,omitzero"`
	Entries  []string  `json:"entries"` // in the archive
}

func mirrorFile(dir, ecosystem, suffix string) string {
	return filepath.Join(dir, url.PathEscape(ecosystem)+suffix)
}

// loadCopy returns what the mirror has of the ecosystem; nil if it has nothing, or
// something that it does not know well.
func loadCopy(dir, ecosystem, url string) *copied {
	data, err := os.ReadFile(mirrorFile(dir, ecosystem, ".json"))
	if err != nil {
		return nil
	}
	var c copied
	if json.Unmarshal(data, &c) != nil || c.URL != url || len(c.Records) == 0 {
		return nil
	}
	info, err := os.Stat(mirrorFile(dir, ecosystem, ".zip"))
	if err != nil || info.Size() != c.Size || !info.ModTime().Equal(c.Written) {
		return nil
	}
	return &c
}

// save keeps the description.
func (c *copied) save(dir, ecosystem string) error {
	data, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return replaceFile(mirrorFile(dir, ecosystem, ".json"), data)
}

// replace makes a complete archive the one of the ecosystem, and describes it.
func (c *copied) replace(ctx context.Context, dir, ecosystem, file, sum string) error {
	records, err := takeInventory(ctx, archive{url: c.URL, fsys: os.DirFS(filepath.Dir(file)), path: filepath.Base(file)})
	if err != nil {
		return err
	}
	if err := os.Rename(file, mirrorFile(dir, ecosystem, ".zip")); err != nil {
		return err
	}
	info, err := os.Stat(mirrorFile(dir, ecosystem, ".zip"))
	if err != nil {
		return err
	}
	c.Sum, c.Size, c.Written, c.Records = sum, info.Size(), info.ModTime(), records
	return c.save(dir, ecosystem)
}

// takeInventory reads what an archive holds.
func takeInventory(ctx context.Context, a archive) (inventory, error) {
	list, err := readArchive(ctx, a, defaultLimits, func(entry string, record []byte) (recordHeader, error) {
		h, err := decodeHeader(record)
		h.entry = entry
		return h, err
	})
	if err != nil {
		return nil, err
	}
	records := make(inventory, len(list))
	for _, h := range list {
		one := records[h.ID]
		one.Entries = append(one.Entries, h.entry)
		if h.Modified.After(one.Modified) {
			one.Modified = h.Modified.Time
		}
		records[h.ID] = one
	}
	return records, nil
}

// recordHeader is what tells one state of a record from another.
type recordHeader struct {
	ID       string `json:"id"`
	Modified date   `json:"modified"`
	entry    string
}

func decodeHeader(record []byte) (h recordHeader, err error) {
	if err := json.Unmarshal(record, &h); err != nil {
		return h, fmt.Errorf("malformed record: %w", err)
	}
	if h.ID == "" {
		return h, errors.New("record without an id")
	}
	return h, nil
}

// rewriter writes the archive anew without some of its records, and with others.
type rewriter struct {
	file *os.File
	hash hash.Hash
	zip  *zip.Writer
}

// rewrite begins a new archive with all entries of the old one but those of the
// ids. They are copied as they are compressed.
func (c *copied) rewrite(dir, ecosystem string, without []string) (_ *rewriter, err error) {
	old, err := os.Open(mirrorFile(dir, ecosystem, ".zip"))
	if err != nil {
		return nil, err
	}
	defer old.Close()
	reader, err := zipReader(old)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", old.Name(), err)
	}
	gone := make(map[string]bool)
	for _, id := range without {
		for _, entry := range c.Records[id].Entries {
			gone[entry] = true
		}
	}
	file, err := os.CreateTemp(dir, temporaryPrefix+"*")
	if err != nil {
		return nil, err
	}
	w := &rewriter{file: file, hash: sha256.New()}
	w.zip = zip.NewWriter(io.MultiWriter(file, w.hash))
	for _, entry := range recordEntries(reader) {
		if gone[entry.Name] {
			continue
		}
		if err := w.zip.Copy(entry); err != nil {
			return nil, errors.Join(fmt.Errorf("%s: entry %q: %w", old.Name(), entry.Name, err), w.abandon())
		}
	}
	return w, nil
}

func (w *rewriter) add(id string, record []byte) error {
	entry, err := w.zip.Create(id + ".json")
	if err == nil {
		_, err = entry.Write(record)
	}
	return err
}

// finish returns the new archive's file and SHA-256.
func (w *rewriter) finish() (file, sum string, err error) {
	if err := errors.Join(w.zip.Close(), w.file.Sync(), w.file.Close()); err != nil {
		return "", "", errors.Join(err, os.Remove(w.file.Name()))
	}
	return w.file.Name(), hex.EncodeToString(w.hash.Sum(nil)), nil
}

func (w *rewriter) abandon() error { return errors.Join(w.file.Close(), os.Remove(w.file.Name())) }

// pruneMirror removes what is of other ecosystems, and what was not finished.
func pruneMirror(dir string, ecosystems []string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var failed error
	for _, e := range entries {
		name := strings.TrimSuffix(strings.TrimSuffix(e.Name(), ".zip"), ".json")
		if ecosystem, err := url.PathUnescape(name); err != nil || !slices.Contains(ecosystems, ecosystem) {
			failed = errors.Join(failed, os.RemoveAll(filepath.Join(dir, e.Name())))
		}
	}
	return failed
}
