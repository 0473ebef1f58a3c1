package feed

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	bolt "go.etcd.io/bbolt"

	"patrol/internal/match"
)

var _ match.Knowledge = (*Revision)(nil)

// goFeed is a feed whose only record was modified on that day of January 2024.
func goFeed(t testing.TB, day string) string {
	t.Helper()
	return feedOf(t, map[string][]byte{"Go": zipOf(t, strings.Replace(goRecord, "2024-03-01", "2024-01-"+day, 1))})
}

func indexes(t testing.TB, s *Store) (ids []string) {
	t.Helper()
	entries, err := os.ReadDir(s.path("revisions"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		ids = append(ids, strings.TrimSuffix(e.Name(), ".db"))
	}
	return ids
}

func TestSwapIsNoticed(t *testing.T) {
	writer := openStore(t)
	reader := openStoreAt(t, writer.dir)
	first := mustUpdate(t, writer, Options{URL: goFeed(t, "01")})
	held := mustCurrent(t, reader)
	if held.ID() != first.Revision {
		t.Fatalf("reader has %s, want %s", held.ID(), first.Revision)
	}
	if again := mustCurrent(t, reader); again != held {
		t.Error("the same revision was opened twice")
	}
	second := mustUpdate(t, writer, Options{URL: goFeed(t, "02")})
	if got := mustCurrent(t, reader).ID(); got != second.Revision {
		t.Errorf("reader has %s, want %s", got, second.Revision)
	}
	// The reader's first revision is old by now, and in use.
	third := mustUpdate(t, writer, Options{URL: goFeed(t, "03")})
	if got, want := indexes(t, writer), []string{first.Revision, second.Revision, third.Revision}; len(got) != 3 || !slices.Contains(got, want[0]) {
		t.Errorf("files %v, want %v", got, want)
	}
	if list, err := held.Affected("Go", "example.org/decoder"); err != nil || len(list) != 1 {
		t.Errorf("held revision: %+v, %v", list, err)
	}
	// Once it is closed, the next update removes it.
	if err := held.shut(); err != nil {
		t.Fatal(err)
	}
	if _, err := held.Affected("Go", "example.org/decoder"); !errors.Is(err, errClosed) {
		t.Errorf("closed revision: %v", err)
	}
	fourth := mustUpdate(t, writer, Options{URL: goFeed(t, "04")})
	if got := indexes(t, writer); slices.Contains(got, first.Revision) || !slices.Contains(got, third.Revision) || !slices.Contains(got, fourth.Revision) {
		t.Errorf("files %v", got)
	}
}

func TestAbandonedRevisionIsClosed(t *testing.T) {
	s := openStore(t)
	mustUpdate(t, s, Options{URL: goFeed(t, "01")})
	open := mustCurrent(t, s).mapping
	mustUpdate(t, s, Options{URL: goFeed(t, "02")})
	mustCurrent(t, s)
	closed := func() bool {
		open.mu.RLock()
		defer open.mu.RUnlock()
		return open.tx == nil
	}
	for range 1000 {
		if runtime.GC(); closed() {
			return
		}
		runtime.Gosched()
	}
	t.Error("nobody holds the revision, and it is still open")
}

func TestSampleStandsIn(t *testing.T) {
	s := openStore(t)
	r := mustCurrent(t, s)
	if !r.Sample() || r.Records() == 0 || len(r.Sources()) != 5 || !r.Covers("Debian:12") {
		t.Fatalf("sample %t, %d records, sources %+v", r.Sample(), r.Records(), r.Sources())
	}
	status, err := s.Status(t.Context())
	if err != nil || !status.Sample || status.LastAttempt != nil || status.InstalledAt.IsZero() {
		t.Errorf("status %+v, %v", status, err)
	}
	for _, source := range status.Sources {
		if source.Ecosystem() != "" && (source.AsOf.IsZero() || source.Records == 0) {
			t.Errorf("source %+v", source)
		}
	}
	if again := mustCurrent(t, openStoreAt(t, s.dir)); again.ID() != r.ID() {
		t.Errorf("compiled again as %s", again.ID())
	}
	// Any real feed replaces it, however old or small.
	outcome := mustUpdate(t, s, Options{URL: goFeed(t, "01")})
	if !outcome.Changed || len(outcome.Dropped) != 0 {
		t.Errorf("outcome %+v", outcome)
	}
	if r := mustCurrent(t, s); r.Sample() || r.ID() != outcome.Revision {
		t.Errorf("installed is %s, sample %t", r.ID(), r.Sample())
	}
}

func TestSampleOfAnotherProgramIsRenewed(t *testing.T) {
	s := openStore(t)
	id := mustCurrent(t, s).ID()
	foreign := pointer{Revision: strings.Repeat("0", revisionDigits), Sample: "another"}
	if err := s.point(foreign); err != nil {
		t.Fatal(err)
	}
	if got := mustCurrent(t, s).ID(); got != id {
		t.Errorf("got %s, want %s", got, id)
	}
	// Never a real feed, though.
	outcome := mustUpdate(t, s, Options{URL: goFeed(t, "01")})
	if err := s.installSample(t.Context(), "another"); err != nil {
		t.Fatal(err)
	}
	if err := s.pointFirst(foreign); err != nil {
		t.Fatal(err)
	}
	if got := mustCurrent(t, s).ID(); got != outcome.Revision {
		t.Errorf("got %s, want %s", got, outcome.Revision)
	}
}

func TestDamage(t *testing.T) {
	for name, test := range map[string]struct {
		damage func(t *testing.T, s *Store, id string)
		says   string
	}{
		"a pointer to nowhere": {func(t *testing.T, s *Store, _ string) {
			if err := os.WriteFile(s.path("current"), []byte(`{"revision":"../../x"}`), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "does not name a revision"},
		"a missing file": {func(t *testing.T, s *Store, id string) {
			if err := os.Remove(s.revisionPath(id)); err != nil {
				t.Fatal(err)
			}
		}, "no such file"},
		"a truncated file": {func(t *testing.T, s *Store, id string) {
			if err := os.Truncate(s.revisionPath(id), 3*4096); err != nil {
				t.Fatal(err)
			}
		}, "run `patrol feed update`"},
		"a file of something else": {func(t *testing.T, s *Store, id string) {
			if err := os.WriteFile(s.revisionPath(id), make([]byte, 1<<16), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "run `patrol feed update`"},
		"another format": {func(t *testing.T, s *Store, id string) {
			setFormat(t, s.revisionPath(id), formatVersion+1)
		}, "reads format 2: run `patrol feed update`"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			first, err := Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			url := goFeed(t, "05")
			id := mustUpdate(t, first, Options{URL: url}).Revision
			if err := first.Close(); err != nil {
				t.Fatal(err)
			}
			s := openStoreAt(t, dir)
			test.damage(t, s, id)
			_, err = s.Current(t.Context())
			wantError(t, err, test.says)
			if _, err := s.Status(t.Context()); err == nil {
				t.Error("the status is well")
			}
			// An update is the way out.
			if outcome := mustUpdate(t, s, Options{URL: url}); !outcome.Changed || outcome.Revision != id {
				t.Errorf("outcome %+v", outcome)
			}
			if got := mustCurrent(t, s).ID(); got != id {
				t.Errorf("got %s, want %s", got, id)
			}
		})
	}
}

func setFormat(t *testing.T, path string, format int) {
	t.Helper()
	db, err := bolt.Open(path, 0, &bolt.Options{Timeout: lockTimeout})
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bolt.Tx) error {
		b := tx.Bucket([]byte(manifestBucket))
		var m manifest
		if err := json.Unmarshal(b.Get([]byte(manifestKey)), &m); err != nil {
			return err
		}
		m.Format = format
		data, err := json.Marshal(m)
		if err != nil {
			return err
		}
		return b.Put([]byte(manifestKey), data)
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestVerifyIndex(t *testing.T) {
	files := os.DirFS(goFeed(t, "01"))
	c, err := collect(t.Context(), []archive{{ecosystem: "Go", url: "here", fsys: files, path: "Go/all.zip"}}, defaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	m := c.manifest(false)
	path := filepath.Join(t.TempDir(), "index.db")
	if err := writeIndex(path, c, m); err != nil {
		t.Fatal(err)
	}
	if err := verifyIndex(path, m); err != nil {
		t.Fatal(err)
	}
	other := m
	other.Revision = strings.Repeat("0", revisionDigits)
	wantError(t, verifyIndex(path, other), "content is "+m.Revision)
	other = m
	other.Counts = map[string]int{affectedBucket: 7}
	wantError(t, verifyIndex(path, other), "1 keys after writing 7")
}

// TestReadersDuringUpdates: every reader sees whole revisions, old or new.
func TestReadersDuringUpdates(t *testing.T) {
	s := openStore(t)
	urls := []string{goFeed(t, "01"), goFeed(t, "02"), goFeed(t, "03"), goFeed(t, "04")}
	mustUpdate(t, s, Options{URL: urls[0]})
	ctx, stop := context.WithCancel(t.Context())
	var readers sync.WaitGroup
	for i := range 4 {
		own := s
		if i%2 == 1 {
			own = openStoreAt(t, s.dir)
		}
		readers.Go(func() {
			for ctx.Err() == nil {
				r, err := own.Current(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				list, err := r.Affected("Go", "example.org/decoder")
				if err != nil || len(list) != 1 {
					t.Errorf("got %+v, %v", list, err)
					return
				}
			}
		})
	}
	var updates sync.WaitGroup
	for _, url := range urls {
		updates.Go(func() {
			if _, err := s.Update(t.Context(), Options{URL: url, AllowOlder: true}); err != nil {
				t.Error(err)
			}
		})
	}
	updates.Wait()
	stop()
	readers.Wait()
}
