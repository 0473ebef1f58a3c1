package feed

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestBadFeedReplacesNothing: whatever is wrong with a feed, the good one stays,
// and the status says in one line what was wrong.
func TestBadFeedReplacesNothing(t *testing.T) {
	good := zipOf(t, goRecord)
	damaged := slices.Clone(good)
	damaged[50] ^= 0xff // inside the compressed record
	for name, test := range map[string]struct {
		feed func(t *testing.T) string
		says []string
	}{
		"truncated": {
			func(t *testing.T) string { return feedOf(t, map[string][]byte{"Go": good[:len(good)/2]}) },
			[]string{"Go/all.zip", "truncated"},
		},
		"damaged": {
			func(t *testing.T) string { return feedOf(t, map[string][]byte{"Go": damaged}) },
			[]string{"Go/all.zip", `"a.json"`},
		},
		"no zip": {
			func(t *testing.T) string { return feedOf(t, map[string][]byte{"Go": []byte("<html>not found</html>")}) },
			[]string{"Go/all.zip", "not a zip archive"},
		},
		"empty file": {
			func(t *testing.T) string { return feedOf(t, map[string][]byte{"Go": nil}) },
			[]string{"Go/all.zip"},
		},
		"no records": {
			func(t *testing.T) string { return feedOf(t, map[string][]byte{"Go": zipOf(t)}) },
			[]string{"Go/all.zip", "no records"},
		},
		"malformed JSON": {
			func(t *testing.T) string { return feedOf(t, map[string][]byte{"Go": zipOf(t, goRecord, `{"id":`)}) },
			[]string{"Go/all.zip", `"b.json"`, "malformed"},
		},
		"no id": {
			func(t *testing.T) string { return feedOf(t, map[string][]byte{"Go": zipOf(t, `{}`)}) },
			[]string{"Go/all.zip", `"a.json"`, "without an id"},
		},
		"one bad of two": {func(t *testing.T) string {
			return feedOf(t, map[string][]byte{"Go": zipOf(t, strings.Replace(goRecord, "2024-03", "2024-09", 1)), "npm": good[:9]})
		}, []string{"npm/all.zip"}},
		"older": {
			func(t *testing.T) string { return goFeed(t, "01") },
			[]string{"osv/Go is older", "2024-01-01", "2024-03-01"},
		},
		"undated": {
			func(t *testing.T) string { return feedOf(t, map[string][]byte{"Go": zipOf(t, `{"id":"GO-1"}`)}) },
			[]string{"osv/Go is older", "no date", "2024-03-01"},
		},
		"half copied": {func(t *testing.T) string {
			dir := feedOf(t, map[string][]byte{"Go": good, "npm": nil})
			if err := os.Rename(filepath.Join(dir, "npm", "all.zip"), filepath.Join(dir, "npm", "modified_id.csv")); err != nil {
				t.Fatal(err)
			}
			return dir
		}, []string{"npm/all.zip is missing"}},
		"a directory of something else": {func(t *testing.T) string { return t.TempDir() }, []string{"no <ECOSYSTEM>/all.zip"}},
		"no directory":                  {func(t *testing.T) string { return "/nowhere/at/all" }, []string{"/nowhere/at/all"}},
		"a file":                        {func(t *testing.T) string { return filepath.Join(goFeed(t, "01"), "Go", "all.zip") }, []string{"not a directory"}},
		"an archive that is none": {func(t *testing.T) string {
			dir := t.TempDir()
			if err := os.MkdirAll(filepath.Join(dir, "Go", "all.zip"), 0o755); err != nil {
				t.Fatal(err)
			}
			return dir
		}, []string{"not a regular file"}},
		"nothing":        {func(t *testing.T) string { return "" }, []string{"--feed-url"}},
		"another scheme": {func(t *testing.T) string { return "ftp://example.org/osv" }, []string{`"ftp"`}},
		"no URL":         {func(t *testing.T) string { return "https://u:secret@[" }, []string{"feed URL"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := openStore(t)
			before := mustUpdate(t, s, Options{URL: feedOf(t, map[string][]byte{"Go": good})})
			_, err := s.Update(t.Context(), Options{URL: test.feed(t)})
			wantError(t, err, append(test.says, "revision "+before.Revision+" stays")...)

			r := mustCurrent(t, s)
			if list, err := r.Affected("Go", "example.org/decoder"); r.ID() != before.Revision || err != nil || len(list) != 1 {
				t.Errorf("after it: %s, %+v, %v", r.ID(), list, err)
			}
			status, statusErr := s.Status(t.Context())
			if statusErr != nil || status.LastAttempt == nil || status.Revision != before.Revision {
				t.Fatalf("status %+v, %v", status, statusErr)
			}
			if line := status.LastAttempt.Error; line != err.Error() || strings.ContainsAny(line, "\n") || strings.Contains(line, "secret") {
				t.Errorf("status says %q of %v", line, err)
			}
			if !status.LastSuccess.Before(status.LastAttempt.At) {
				t.Errorf("last success %s, last attempt %s", status.LastSuccess, status.LastAttempt.At)
			}
			if left, err := filepath.Glob(s.path(temporaryPrefix + "*")); err != nil || len(left) != 0 {
				t.Errorf("left behind %v, %v", left, err)
			}
		})
	}
}

func TestUpdate(t *testing.T) {
	s := openStore(t)
	url := everything(t)
	outcome := mustUpdate(t, s, Options{URL: "file://" + url})
	if !outcome.Changed || outcome.Records != 8 || len(outcome.Dropped) != 0 {
		t.Errorf("outcome %+v", outcome)
	}
	asOf := time.Date(2024, 5, 2, 0, 0, 0, 0, time.UTC)
	if got, want := outcome.Sources[0], (Source{Name: "osv/AlmaLinux", AsOf: asOf, Records: 2, URL: filepath.Join(url, "AlmaLinux", "all.zip")}); got != want {
		t.Errorf("source %+v, want %+v", got, want)
	}
	if got := outcome.Sources[1].Ecosystem(); got != "Debian" {
		t.Errorf("second source %s", got)
	}
	if again := mustUpdate(t, s, Options{URL: url}); again.Changed || again.Revision != outcome.Revision {
		t.Errorf("again %+v", again)
	}
	status, err := s.Status(t.Context())
	if err != nil || status.Sample || status.Records != 8 || len(status.Sources) != 3+4 || status.LastAttempt.Error != "" ||
		!status.LastSuccess.Equal(status.LastAttempt.At) || !status.InstalledAt.Before(status.LastSuccess) || status.LastAttempt.URL != url {
		t.Errorf("status %+v, %v", status, err)
	}
	fewer := mustUpdate(t, s, Options{URL: url, Ecosystems: []string{"Go", "Debian"}})
	if !fewer.Changed || !slices.Equal(fewer.Dropped, []string{"osv/AlmaLinux"}) || len(fewer.Sources) != 2 {
		t.Errorf("fewer %+v", fewer)
	}
	_, err = s.Update(t.Context(), Options{URL: url, Ecosystems: []string{"Go", "npm"}})
	wantError(t, err, "npm/all.zip", "no such file")
	_, err = s.Update(t.Context(), Options{URL: url, Ecosystems: []string{"../Go"}})
	wantError(t, err, `"../Go" is not the name`)
}

func TestUpdateAllowsOlder(t *testing.T) {
	s := openStore(t)
	mustUpdate(t, s, Options{URL: goFeed(t, "02")})
	older := mustUpdate(t, s, Options{URL: goFeed(t, "01"), AllowOlder: true})
	if !older.Changed || mustCurrent(t, s).ID() != older.Revision {
		t.Errorf("outcome %+v", older)
	}
}

func TestEcosystemsOfDirectory(t *testing.T) {
	one := zipOf(t, goRecord)
	dir := feedOf(t, map[string][]byte{"Debian": one, "Debian:12": one, "Rocky Linux": one, "Alpine:v3.19": one, ".git": one})
	got, err := Ecosystems(t.Context(), Options{URL: dir})
	if want := []string{"Alpine:v3.19", "Debian", "Rocky Linux"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
}

func TestUpdateWaitsForAnother(t *testing.T) {
	s := openStore(t)
	unlock, err := openStoreAt(t, s.dir).lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = s.Update(ctx, Options{URL: goFeed(t, "01")})
	if !errors.Is(err, errBusy) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	done := make(chan error)
	go func() {
		_, err := s.Update(t.Context(), Options{URL: goFeed(t, "01")})
		done <- err
	}()
	unlock()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestUpdateCleansUp(t *testing.T) {
	s := openStore(t)
	old, fresh := s.path(temporaryPrefix+"old"), s.path(temporaryPrefix+"fresh")
	for _, dir := range []string{old, fresh} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	long := time.Now().Add(-2 * abandoned)
	if err := os.Chtimes(old, long, long); err != nil {
		t.Fatal(err)
	}
	mustUpdate(t, s, Options{URL: goFeed(t, "01")})
	if _, err := os.Stat(old); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("old: %v", err)
	}
	if _, err := os.Stat(fresh); err != nil {
		t.Errorf("fresh: %v", err)
	}
}

func TestLimits(t *testing.T) {
	// A bomb: an entry that states a small size and inflates to a large one.
	content := bytes.Repeat([]byte(" "), 1<<20)
	var bomb bytes.Buffer
	w := zip.NewWriter(&bomb)
	f, err := w.Create("a.json")
	if err == nil {
		_, err = f.Write(content)
	}
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	lying := bytes.Buffer{}
	w = zip.NewWriter(&lying)
	f, err = w.CreateRaw(&zip.FileHeader{
		Name: "a.json", Method: zip.Store, CRC32: crc32.ChecksumIEEE([]byte("{}")),
		CompressedSize64: 2, UncompressedSize64: 1 << 40,
	})
	if err == nil {
		_, err = f.Write([]byte("{}"))
	}
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		data  []byte
		limit limits
		says  string
	}{
		"an entry":       {bomb.Bytes(), limits{entry: 1 << 16, total: 1 << 30}, `"a.json": more than 65536 bytes`},
		"all together":   {zipOf(t, goRecord, goTwoCVEs), limits{entry: 1 << 16, total: int64(len(goRecord))}, "inflates to more than"},
		"a size that is": {lying.Bytes(), defaultLimits, `"a.json"`},
	} {
		t.Run(name, func(t *testing.T) {
			files := os.DirFS(feedOf(t, map[string][]byte{"Go": test.data}))
			_, err := archive{ecosystem: "Go", url: "here", fsys: files, path: "Go/all.zip"}.read(t.Context(), test.limit)
			wantError(t, err, "here", test.says)
		})
	}
}
