//go:build ignore

// Derive makes the sample of the feed: of the records in a directory laid out as
// OSV publishes, the facts, and of those as many as fit.
//
//	go run derive.go -from DIRECTORY -to DIRECTORY
package main

import (
	"archive/zip"
	"bytes"
	"cmp"
	"compress/flate"
	"encoding/json"
	"flag"
	"fmt"
	"hash/crc32"
	"io"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"patrol/internal/match"
)

// record has the facts of a record: no summary, no details, no references.
type record struct {
	ID        string     `json:"id"`
	Modified  string     `json:"modified"`
	Published string     `json:"published,omitempty"`
	Withdrawn string     `json:"withdrawn,omitempty"`
	Aliases   []string   `json:"aliases,omitempty"`
	Upstream  []string   `json:"upstream,omitempty"`
	Related   []string   `json:"related,omitempty"`
	Severity  []severity `json:"severity,omitempty"`
	Affected  []affected `json:"affected,omitempty"`
}

type severity struct {
	Type  string `json:"type"`
	Score string `json:"score"`
}

type affected struct {
	Package struct {
		Ecosystem string `json:"ecosystem"`
		Name      string `json:"name"`
	} `json:"package"`
	Severity []severity   `json:"severity,omitempty"`
	Ranges   []eventRange `json:"ranges,omitempty"`
	Versions []string     `json:"versions,omitempty"`
}

type eventRange struct {
	Type   string              `json:"type"`
	Events []map[string]string `json:"events"`
}

func main() {
	from := flag.String("from", "", "directory with <ECOSYSTEM>/all.zip")
	to := flag.String("to", "", "directory of the sample")
	limit := flag.Int("limit", 1<<20-1, "bytes of each all.zip")
	flag.Parse()
	sources, err := filepath.Glob(filepath.Join(*from, "*", "all.zip"))
	if err == nil && (len(sources) == 0 || *from == "" || *to == "") {
		err = fmt.Errorf("no */all.zip in %q: -from and -to name directories", *from)
	}
	if err != nil {
		log.Fatal(err)
	}
	for _, source := range sources {
		ecosystem := filepath.Base(filepath.Dir(source))
		kept, all, err := derive(source, filepath.Join(*to, ecosystem, "all.zip"), *limit)
		if err != nil {
			log.Fatalf("%s: %v", source, err)
		}
		fmt.Printf("%s: %d of %d records\n", ecosystem, kept, all)
	}
}

// entry is a record as it stands in the archive.
type entry struct {
	record     record
	header     zip.FileHeader
	compressed []byte
}

func derive(from, to string, limit int) (kept, all int, err error) {
	records, err := read(from)
	if err != nil {
		return 0, 0, err
	}
	all = len(records)
	records = slices.DeleteFunc(records, useless)
	slices.SortFunc(records, func(a, b record) int {
		return cmp.Or(
			cmp.Compare(rank(a), rank(b)),
			cmp.Compare(b.Published, a.Published),
			cmp.Compare(a.ID, b.ID),
		)
	})
	var entries []entry
	size := 22 // the end of the central directory
	for _, r := range records {
		e, err := compress(r)
		if err != nil {
			return 0, 0, err
		}
		size += 30 + 46 + 2*len(e.header.Name) + len(e.compressed)
		if size > limit {
			break
		}
		entries = append(entries, e)
	}
	slices.SortFunc(entries, func(a, b entry) int { return cmp.Compare(a.record.ID, b.record.ID) })
	return len(entries), all, write(to, entries)
}

// useless records can never yield a finding.
func useless(r record) bool {
	named := slices.Concat(r.Aliases, r.Upstream, r.Related)
	return r.Withdrawn != "" || match.IsErratum(r.ID) && !slices.ContainsFunc(named, match.IsCVE)
}

// rank puts Go's own library and tools first, which every Go program has.
func rank(r record) int {
	for _, a := range r.Affected {
		if a.Package.Ecosystem == "Go" && (a.Package.Name == "stdlib" || a.Package.Name == "toolchain") {
			return 0
		}
	}
	return 1
}

func read(path string) ([]record, error) {
	archive, err := zip.OpenReader(path)
	if err != nil {
		return nil, err
	}
	defer archive.Close()
	var records []record
	for _, f := range archive.File {
		if !strings.HasSuffix(f.Name, ".json") {
			continue
		}
		content, err := f.Open()
		if err != nil {
			return nil, err
		}
		data, err := io.ReadAll(content)
		content.Close()
		if err != nil {
			return nil, err
		}
		var r record
		if err := json.Unmarshal(data, &r); err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
		slim(&r)
		records = append(records, r)
	}
	return records, nil
}

// slim drops ranges of commits, and lists of versions that a range says shorter.
func slim(r *record) {
	for i := range r.Affected {
		a := &r.Affected[i]
		a.Ranges = slices.DeleteFunc(a.Ranges, func(g eventRange) bool { return g.Type == "GIT" })
		if len(a.Ranges) > 0 {
			a.Versions = nil
		}
	}
}

// compress makes an entry whose bytes depend on the record alone.
func compress(r record) (entry, error) {
	data, err := json.Marshal(r)
	if err != nil {
		return entry{}, err
	}
	var compressed bytes.Buffer
	w, err := flate.NewWriter(&compressed, flate.BestCompression)
	if err != nil {
		return entry{}, err
	}
	if _, err := w.Write(data); err != nil {
		return entry{}, err
	}
	if err := w.Close(); err != nil {
		return entry{}, err
	}
	header := zip.FileHeader{
		Name:               r.ID + ".json",
		Method:             zip.Deflate,
		CRC32:              crc32.ChecksumIEEE(data),
		CompressedSize64:   uint64(compressed.Len()),
		UncompressedSize64: uint64(len(data)),
	}
	// The MS-DOS date alone: Modified would add an extended timestamp.
	header.ModifiedDate = uint16((2026-1980)<<9 | int(time.January)<<5 | 1)
	return entry{r, header, compressed.Bytes()}, nil
}

func write(path string, entries []entry) error {
	var archive bytes.Buffer
	w := zip.NewWriter(&archive)
	for i := range entries {
		content, err := w.CreateRaw(&entries[i].header)
		if err != nil {
			return err
		}
		if _, err := content.Write(entries[i].compressed); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, archive.Bytes(), 0o644)
}
