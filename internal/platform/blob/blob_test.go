package blob_test

import (
	"bytes"
	"encoding/pem"
	"errors"
	"io"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"patrol/internal/platform/blob"
	"patrol/internal/platform/db"
	"patrol/internal/platform/db/dbtest"
)

// each runs a suite on every kind of store. make gives the URL of an empty one.
func each(t *testing.T, suite func(t *testing.T, make func() string)) {
	t.Run("file", func(t *testing.T) {
		suite(t, func() string { return "file://" + filepath.Join(t.TempDir(), "made here") })
	})
	t.Run("s3", func(t *testing.T) {
		t.Setenv("AWS_ACCESS_KEY_ID", "patrol")
		t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
		suite(t, func() string {
			backend := s3mem.New()
			if err := backend.CreateBucket("patrol"); err != nil {
				t.Fatal(err)
			}
			server := httptest.NewTLSServer(gofakes3.New(backend).Server())
			t.Cleanup(server.Close)
			trust(t, server)
			return "s3://patrol/prefix?region=eu-central-1&endpoint=" + url.QueryEscape(server.URL)
		})
	})
}

// trust has programs take the server's certificate, by the variable that is there
// for it.
func trust(t *testing.T, server *httptest.Server) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SSL_CERT_FILE", file)
}

func open(t *testing.T, address string, d *db.DB) *blob.Store {
	t.Helper()
	s, err := blob.Open(t.Context(), address, d)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func database(t *testing.T) *db.DB {
	return dbtest.OpenSQLite(t, filepath.Join(t.TempDir(), "patrol.db"), blob.Migrations)
}

func read(t *testing.T, s *blob.Store, key string) string {
	t.Helper()
	r, err := s.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestStore(t *testing.T) {
	each(t, func(t *testing.T, make func() string) {
		address, d := make(), database(t)
		one, other := open(t, address, d), open(t, address, d)
		large := strings.Repeat("0123456789abcdef", 1<<20) // more than one part of an upload
		for _, content := range []string{"first", large, "again"} {
			if err := one.Put(t.Context(), "feed/a", strings.NewReader(content)); err != nil {
				t.Fatal(err)
			}
			if got := read(t, other, "feed/a"); got != content {
				t.Errorf("%d bytes came back of %d", len(got), len(content))
			}
		}
		for range 2 {
			if err := other.Delete(t.Context(), "feed/a"); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := one.Get(t.Context(), "feed/a"); !errors.Is(err, blob.ErrNotFound) {
			t.Errorf("Get of what was deleted = %v", err)
		}
	})
}

// An object whose writing breaks off is not there, and what was there before is.
func TestPutIsAllOrNothing(t *testing.T) {
	each(t, func(t *testing.T, make func() string) {
		s := open(t, make(), database(t))
		if err := s.Put(t.Context(), "kept", strings.NewReader("before")); err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"kept", "new"} {
			broken := io.MultiReader(bytes.NewReader([]byte("half")), iotest.ErrReader(errors.New("the source broke")))
			if err := s.Put(t.Context(), key, broken); err == nil || !strings.Contains(err.Error(), "the source broke") {
				t.Errorf("Put of a source that breaks = %v", err)
			}
		}
		if got := read(t, s, "kept"); got != "before" {
			t.Errorf("the object is %q", got)
		}
		if _, err := s.Get(t.Context(), "new"); !errors.Is(err, blob.ErrNotFound) {
			t.Errorf("Get = %v", err)
		}
	})
}

func TestOpenRefuses(t *testing.T) {
	each(t, func(t *testing.T, make func() string) {
		d := database(t)
		open(t, make(), d)
		_, err := blob.Open(t.Context(), make(), d)
		if err == nil {
			t.Fatal("another store was taken for the database's")
		}
		if !strings.Contains(err.Error(), "the same --blob-url") {
			t.Errorf("error = %v", err)
		}
	})
	for _, address := range []string{"", "patrol", "gs://bucket", "file://host/path", "file://\x00", "s3://patrol?endpoint=nowhere"} {
		if s, err := blob.Open(t.Context(), address, database(t)); err == nil || !strings.Contains(err.Error(), "--blob-url") {
			t.Errorf("%q opened %v, %v", address, s, err)
		}
	}
}
