//go:build shareddata

package feed

import (
	"archive/zip"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"patrol/internal/match"
	"patrol/internal/risk"
)

// TestRealCatalogue: 158 records of the feed concern CVEs of CISA's catalogue,
// most of them by `upstream` and `related`, where `aliases` alone reaches 10. Nine
// are related to such a CVE without being about it, for they are no errata.
func TestRealCatalogue(t *testing.T) {
	s := openStore(t)
	mustUpdate(t, s, Options{URL: shared(t, "feeds/2026-08-21")})
	outcome := mustUpdateIntelligence(t, s, Addresses{KEV: shared(t, "feeds/known_exploited_vulnerabilities.json")})
	if len(outcome.Failed) != 0 || len(outcome.Sources) != 1 || outcome.Sources[0].Records != 1404 {
		t.Fatalf("%+v", outcome)
	}
	r := mustCurrent(t, s)
	known, err := s.Intelligence(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	listed := func(names []string) bool {
		return slices.ContainsFunc(names, func(name string) bool { i, err := known.Of(name); return err == nil && i.KEV.Listed })
	}
	concerned, about := 0, 0
	for _, p := range pairs(t, r, recordBucket) {
		record, _, err := r.Record(p[0])
		if err != nil {
			t.Fatal(err)
		}
		if listed(slices.Concat([]string{record.ID}, record.Aliases, record.Upstream, record.Related)) {
			concerned++
		}
		names, err := r.Names(record.ID)
		if err != nil {
			t.Fatal(err)
		}
		if listed(names) {
			about++
		}
	}
	if concerned != 158 || about != 149 {
		t.Errorf("%d records concern CVEs of the catalogue and %d are about them, want 158 and 149", concerned, about)
	}
}

// TestRealWords: AlmaLinux publishes no vectors, but rates each erratum.
func TestRealWords(t *testing.T) {
	s := openStore(t)
	mustUpdate(t, s, Options{URL: shared(t, "feeds/2026-08-21"), Ecosystems: []string{"AlmaLinux", "Debian"}})
	r := mustCurrent(t, s)
	counts := map[risk.Severity]int{}
	for _, p := range pairs(t, r, vulnerabilityBucket) {
		v, _, err := r.Vulnerability(p[0])
		if err != nil {
			t.Fatal(err)
		}
		counts[risk.Assess(v, risk.Intelligence{}).SeverityIn("AlmaLinux:9")]++
	}
	for _, s := range []risk.Severity{risk.Critical, risk.High, risk.Medium, risk.Low, risk.Unknown} {
		if counts[s] == 0 {
			t.Errorf("none is %s: %v", s, counts)
		}
	}
	t.Log(counts)
}

// site serves one state of the shared feeds, with the single records of its
// archives, as OSV's own site does.
type site struct {
	mu      sync.Mutex
	dir     string
	singles map[string]*zip.File
	served  map[string]int // kind of file → answers of 200
}

func (s *site) show(t *testing.T, dir string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dir, s.singles, s.served = dir, map[string]*zip.File{}, map[string]int{}
	names, err := listEcosystems(os.DirFS(dir))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		r, err := zip.OpenReader(filepath.Join(dir, name, "all.zip"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.Close() })
		for _, f := range r.File {
			s.singles["/"+name+"/"+f.Name] = f
		}
	}
}

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	dir, single := s.dir, s.singles[r.URL.Path]
	s.served[filepath.Ext(r.URL.Path)]++
	s.mu.Unlock()
	if single == nil {
		path := filepath.Join(dir, filepath.FromSlash(r.URL.Path))
		w.Header().Set("ETag", strconv.Quote(path)) // both states were written in one second
		http.ServeFile(w, r, path)
		return
	}
	content, err := single.Open()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer content.Close()
	_, _ = io.Copy(w, content)
}

// TestRealIncrement: what is brought from June to August in steps is the same
// revision as what is compiled from August's archives.
func TestRealIncrement(t *testing.T) {
	ecosystems := []string{"AlmaLinux", "Go", "crates.io"}
	august := openStore(t)
	want := mustUpdate(t, august, Options{URL: shared(t, "feeds/2026-08-21"), Ecosystems: ecosystems})

	published := &site{}
	published.show(t, shared(t, "feeds/2026-06-01"))
	server := httptest.NewServer(published)
	t.Cleanup(server.Close)
	s := openStore(t)
	o := Options{URL: server.URL, Ecosystems: ecosystems}
	june := mustUpdate(t, s, o)
	published.show(t, shared(t, "feeds/2026-08-21"))
	got := mustUpdate(t, s, o)
	if got.Revision != want.Revision || got.Revision == june.Revision {
		t.Errorf("June %s, then %s, and August as a whole %s", june.Revision, got.Revision, want.Revision)
	}
	t.Logf("answers by kind of file: %v", published.served)

	// A state between: June with a few of August's records.
	between := betweenStates(t, ecosystems, 40)
	s = openStore(t)
	published.show(t, shared(t, "feeds/2026-06-01"))
	mustUpdate(t, s, o)
	published.show(t, between)
	got = mustUpdate(t, s, o)
	if whole := revisionOf(t, between); got.Revision != whole.ID() {
		t.Errorf("between: %s, and as a whole %s", got.Revision, whole.ID())
	}
	if published.served[".zip"] != 0 || published.served[".json"] == 0 {
		t.Errorf("between: answers by kind of file: %v", published.served)
	}
	t.Logf("between: %v", published.served)
}

// betweenStates writes a feed that is June's, but for the first n records of each
// archive that August has otherwise, and without the last one.
func betweenStates(t *testing.T, ecosystems []string, n int) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range ecosystems {
		june, august := recordsOf(t, "2026-06-01/"+name), recordsOf(t, "2026-08-21/"+name)
		taken := 0
		for _, id := range slices.Sorted(maps.Keys(august)) {
			if taken < n && june[id] != august[id] {
				june[id] = august[id]
				taken++
			}
		}
		ids := slices.Sorted(maps.Keys(june))
		delete(june, ids[len(ids)-1])
		entries := map[string]string{}
		var list strings.Builder
		for id, record := range june {
			h, err := decodeHeader([]byte(record))
			if err != nil {
				t.Fatal(err)
			}
			entries[id+".json"] = record
			fmt.Fprintf(&list, "%s,%s\n", h.Modified.Format("2006-01-02T15:04:05Z07:00"), id)
		}
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
		writeFile(t, dir, name+"/all.zip", cveZip(t, entries))
		writeFile(t, dir, name+"/modified_id.csv", list.String())
	}
	return dir
}

func recordsOf(t *testing.T, path string) map[string]string {
	t.Helper()
	type named struct{ id, record string }
	a := archive{url: path, fsys: os.DirFS(shared(t, "feeds")), path: path + "/all.zip"}
	list, err := readArchive(t.Context(), a, defaultLimits, func(_ string, record []byte) (named, error) {
		h, err := decodeHeader(record)
		return named{h.ID, string(record)}, err
	})
	if err != nil {
		t.Fatal(err)
	}
	records := map[string]string{}
	for _, one := range list {
		records[one.id] = one.record
	}
	return records
}

// BenchmarkIntelligence compiles sources of the size of the real ones: 300,000
// CVEs of records as long as published ones, and as many scores.
func BenchmarkIntelligence(b *testing.B) {
	dir := b.TempDir()
	a := synthetic(b, dir, 300_000)
	for b.Loop() {
		s := openStore(b)
		outcome := mustUpdateIntelligence(b, s, a)
		if len(outcome.Failed) != 0 {
			b.Fatalf("%+v", outcome)
		}
		info, err := os.Stat(s.intelligencePath(outcome.Revision))
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(info.Size())/(1<<20), "MiB-file")
		b.ReportMetric(float64(peak(b))/(1<<10), "MiB-peak-process")
	}
}

// peak is the process's largest resident set so far, in KiB.
func peak(b *testing.B) (size int) {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	if _, err := fmt.Sscan(rest, &size); err != nil {
		b.Fatal(err)
	}
	return size
}

func synthetic(b *testing.B, dir string, n int) Addresses {
	create := func(name string) *os.File {
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			b.Fatal(err)
		}
		return f
	}
	cves, scores := create("2026-01-01_all_CVEs_at_midnight.zip"), create("epss.csv")
	list := zip.NewWriter(cves)
	fmt.Fprintln(scores, "#model_version:v2025.03.14,score_date:2026-01-01T00:00:00Z\ncve,epss,percentile")
	padding := `,"padding":"` + strings.Repeat("Lorem ipsum ", 250) + `"`
	for i := range n {
		cve := fmt.Sprintf("CVE-%d-%05d", 2002+i%25, 1000+i)
		record := strings.Replace(cveFile, "CVE-2024-1001", cve, 1)
		f, err := list.Create("cves/" + cve + ".json")
		if err != nil {
			b.Fatal(err)
		}
		if _, err := f.Write([]byte(record[:len(record)-1] + padding + "}")); err != nil {
			b.Fatal(err)
		}
		fmt.Fprintf(scores, "%s,0.00%03d,0.5\n", cve, i%1000)
		if !match.IsCVE(cve) {
			b.Fatal(cve)
		}
	}
	for _, err := range []error{list.Close(), cves.Close(), scores.Close()} {
		if err != nil {
			b.Fatal(err)
		}
	}
	return Addresses{CVE: dir, EPSS: filepath.Join(dir, "epss.csv"), KEV: shared(b, "feeds/known_exploited_vulnerabilities.json")}
}
