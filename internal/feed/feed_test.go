package feed

import (
	"archive/zip"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func openStore(t testing.TB) *Store {
	t.Helper()
	return openStoreAt(t, t.TempDir())
}

func openStoreAt(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func mustUpdate(t testing.TB, s *Store, o Options) Outcome {
	t.Helper()
	outcome, err := s.Update(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return outcome
}

func mustCurrent(t testing.TB, s *Store) *Revision {
	t.Helper()
	r, err := s.Current(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// wantError checks that the error says all of it.
func wantError(t *testing.T, err error, says ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, text := range says {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("error does not say %q: %v", text, err)
		}
	}
}

// pairs returns all keys and values of a bucket.
func pairs(t testing.TB, r *Revision, bucket string) (all [][2]string) {
	t.Helper()
	for key, value := range r.mapping.pairs(bucket) {
		all = append(all, [2]string{string(key), string(value)})
	}
	return all
}

// zipOf returns an archive with the records, each under a name of its own.
func zipOf(t testing.TB, records ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i, record := range records {
		f, err := w.Create(string(rune('a'+i)) + ".json")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(record)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// feedOf writes a feed directory: ecosystem → archive.
func feedOf(t testing.TB, archives map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for ecosystem, data := range archives {
		if err := os.MkdirAll(filepath.Join(dir, ecosystem), 0o755); err != nil {
			t.Fatal(err)
		}
		writeFile(t, dir, ecosystem+"/all.zip", string(data))
	}
	return dir
}

func writeFile(t testing.TB, dir, path, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, path), []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}
