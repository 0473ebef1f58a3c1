// Package feedtest publishes small feeds as OSV lays them out, for tests of what a
// feed's update means.
package feedtest

import (
	"archive/zip"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"patrol/internal/feed"
	"patrol/internal/match"
	"patrol/internal/platform/db"
)

// Record is an OSV record about one package: affected from the beginning, up to a
// version or for ever.
type Record struct {
	ID, Ecosystem, Package string
	Fixed                  string // "" if no version is
	Aliases, Upstream      []string
	Vector                 string // CVSS 3.1
	Summary                string
	Withdrawn              bool
}

// Feed is what was published last, and the store that it is installed in.
type Feed struct {
	*feed.Service
	t     testing.TB
	store *feed.Store
	dir   string
}

// New returns a feed of nothing but the built-in sample.
func New(t testing.TB, d *db.DB, now func() time.Time) Feed {
	t.Helper()
	store, err := feed.Open(filepath.Join(t.TempDir(), "feed"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	dir := t.TempDir()
	return Feed{feed.NewService(store, d, feed.Settings{URL: dir}, now), t, store, dir}
}

// Publish installs a feed of the records. An ecosystem of which there is none keeps
// those that it had.
func (f Feed) Publish(records ...Record) *feed.Revision {
	f.t.Helper()
	sources := make(map[string][]Record)
	for _, r := range records {
		base := match.Base(r.Ecosystem)
		sources[base] = append(sources[base], r)
	}
	for base, records := range sources {
		if err := write(filepath.Join(f.dir, base), records); err != nil {
			f.t.Fatal(err)
		}
	}
	if _, err := f.store.Update(f.t.Context(), feed.Options{URL: f.dir, AllowOlder: true}); err != nil {
		f.t.Fatal(err)
	}
	return f.Current()
}

// Current is the revision that is installed.
func (f Feed) Current() *feed.Revision {
	f.t.Helper()
	rev, err := f.store.Current(f.t.Context())
	if err != nil {
		f.t.Fatal(err)
	}
	return rev
}

func write(dir string, records []Record) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	file, err := os.Create(filepath.Join(dir, "all.zip"))
	if err != nil {
		return err
	}
	archive := zip.NewWriter(file)
	for _, r := range records {
		w, err := archive.Create(r.ID + ".json")
		if err == nil {
			err = json.NewEncoder(w).Encode(r.json())
		}
		if err != nil {
			return errors.Join(err, file.Close())
		}
	}
	return errors.Join(archive.Close(), file.Close())
}

// json is the record as OSV has it. One that says something else was modified at
// another time.
func (r Record) json() map[string]any {
	sum := sha256.Sum256(fmt.Append(nil, r))
	modified := time.Date(2026, 1, 1, 0, 0, int(sum[0])*256+int(sum[1]), 0, time.UTC).Format(time.RFC3339)
	events := []map[string]string{{"introduced": "0"}}
	if r.Fixed != "" {
		events = append(events, map[string]string{"fixed": r.Fixed})
	}
	kind := "ECOSYSTEM"
	if r.Ecosystem == "Go" {
		kind = "SEMVER"
	}
	out := map[string]any{
		"id": r.ID, "modified": modified, "summary": r.Summary, "aliases": append([]string{}, r.Aliases...), "upstream": append([]string{}, r.Upstream...),
		"affected": []any{map[string]any{
			"package": map[string]string{"ecosystem": r.Ecosystem, "name": r.Package},
			"ranges":  []any{map[string]any{"type": kind, "events": events}},
		}},
	}
	if r.Vector != "" {
		out["severity"] = []any{map[string]string{"type": "CVSS_V3", "score": r.Vector}}
	}
	if r.Withdrawn {
		out["withdrawn"] = modified
	}
	return out
}
