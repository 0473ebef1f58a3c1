package feed

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// ecosystemOf is what a site publishes of Go: records 1 to n, each modified on its
// own minute.
type ecosystemOf struct {
	records map[string]string    // id → JSON
	listed  map[string]time.Time // id → as the list has it
}

func numbered(n int) ecosystemOf {
	e := ecosystemOf{map[string]string{}, map[string]time.Time{}}
	for i := range n {
		e.set(fmt.Sprintf("GO-2024-%04d", i), time.Date(2024, 1, 1, 0, i, 0, 0, time.UTC), "1.0.0")
	}
	return e
}

func (e ecosystemOf) set(id string, modified time.Time, fixed string) {
	e.listed[id] = modified
	e.records[id] = fmt.Sprintf(`{"id":%q,"modified":%q,"affected":[{"package":{"ecosystem":"Go","name":"example.org/%s"},
		"ranges":[{"type":"SEMVER","events":[{"introduced":"0"},{"fixed":%q}]}]}]}`, id, modified.Format(time.RFC3339), id, fixed)
}

func (e ecosystemOf) zip(t testing.TB) string {
	entries := map[string]string{}
	for id, record := range e.records {
		entries[id+".json"] = record
	}
	return cveZip(t, entries)
}

func (e ecosystemOf) list() string {
	var b strings.Builder
	for id, modified := range e.listed {
		fmt.Fprintf(&b, "%s,%s\n", modified.Format(time.RFC3339), id)
	}
	return b.String()
}

// publishAll publishes archive, list and single records.
func (e ecosystemOf) publishAll(t testing.TB, p *publisher) {
	p.put("/Go/all.zip", e.zip(t))
	e.publishSingles(p)
}

func (e ecosystemOf) publishSingles(p *publisher) {
	p.put("/Go/modified_id.csv", e.list())
	for id, record := range e.records {
		p.put("/Go/"+id+".json", record)
	}
}

var later = time.Date(2024, 2, 1, 0, 0, 0, 0, time.UTC)

const (
	getList    = "200 /Go/modified_id.csv"
	getArchive = "200 /Go/all.zip"
)

// TestIncrementalUpdate follows a site through its changes, and compares each
// state with one that is compiled from the whole.
func TestIncrementalUpdate(t *testing.T) {
	p := publish(t, nil)
	site := numbered(100)
	site.publishAll(t, p)
	s := openStore(t)
	o := Options{URL: p.URL, Ecosystems: []string{"Go"}}
	step := func(name string, changed bool, want ...string) {
		t.Helper()
		p.since()
		outcome := mustUpdate(t, s, o)
		if outcome.Changed != changed {
			t.Errorf("%s: changed %t", name, outcome.Changed)
		}
		wantAnswers(t, p, want...)
		whole := revisionOf(t, feedOf(t, map[string][]byte{"Go": []byte(site.zip(t))}))
		if outcome.Revision != whole.ID() {
			t.Errorf("%s: revision %s, and of the whole %s", name, outcome.Revision, whole.ID())
		}
	}
	step("at first", true, getList, getArchive)
	step("nothing new", false, "304 /Go/modified_id.csv")

	site.set("GO-2024-0007", later, "2.0.0")
	site.set("GO-2024-0500", later, "1.0.0")
	delete(site.records, "GO-2024-0009")
	delete(site.listed, "GO-2024-0009")
	site.publishAll(t, p)
	step("two changed, one gone", true, getList, "200 /Go/GO-2024-0007.json", "200 /Go/GO-2024-0500.json")

	for i := range 10 {
		site.set(fmt.Sprintf("GO-2024-%04d", 20+i), later.Add(time.Hour), "3.0.0")
	}
	site.publishAll(t, p)
	step("a tenth changed", true, getList, getArchive)

	// The list is ahead of the archive, by one and then by many.
	site.set("GO-2024-0030", later.Add(2*time.Hour), "4.0.0")
	site.publishSingles(p)
	step("list ahead by one", true, getList, "200 /Go/GO-2024-0030.json")
	var singles []string
	for i := range 8 {
		id := fmt.Sprintf("GO-2024-%04d", 40+i)
		site.set(id, later.Add(3*time.Hour), "5.0.0")
		singles = append(singles, "200 /Go/"+id+".json")
	}
	site.publishSingles(p)
	step("list ahead by many", true, append(singles, getList, "304 /Go/all.zip")...)

	// The list is behind: the archive has something newer than all that is listed.
	old := site.list()
	site.set("GO-2024-0600", later.Add(4*time.Hour), "1.0.0")
	site.set("GO-2024-0601", later.Add(4*time.Hour), "1.0.0")
	site.publishAll(t, p)
	p.put("/Go/modified_id.csv", old)
	fresh := openStore(t)
	if outcome := mustUpdate(t, fresh, o); outcome.Records != len(site.records) {
		t.Errorf("list behind: %d records, want %d", outcome.Records, len(site.records))
	}

	// A record is listed, but deleted since: the archive tells.
	site.publishAll(t, p)
	step("list in step", true, getList, "200 /Go/GO-2024-0600.json", "200 /Go/GO-2024-0601.json")
	site.listed["GO-2024-0700"] = later.Add(5 * time.Hour)
	site.publishAll(t, p)
	step("listed, not published", false, getList, getArchive, "404 /Go/GO-2024-0700.json", "404 /Go/GO-2024-0700.json")

	// A site without a list is asked for the archive alone.
	p.put("/Go/modified_id.csv", "")
	site.set("GO-2024-0001", later.Add(6*time.Hour), "6.0.0")
	p.put("/Go/all.zip", site.zip(t))
	step("no list", true, "404 /Go/modified_id.csv", getArchive)
	step("no list, nothing new", false, "404 /Go/modified_id.csv", "304 /Go/all.zip")
}

// TestBadDelta: what is wrong with a list or a record replaces nothing, and the
// next good one is taken.
func TestBadDelta(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(p *publisher, site ecosystemOf)
		says  string
	}{
		"a malformed list":     {func(p *publisher, _ ecosystemOf) { p.put("/Go/modified_id.csv", "2024-01-01T00:00:00Z,../up\n") }, "line 1"},
		"a list cut in a line": {func(p *publisher, site ecosystemOf) { l := site.list(); p.put("/Go/modified_id.csv", l[:len(l)/2+10]) }, "where a time and an id"},
		"a list cut between lines": {func(p *publisher, site ecosystemOf) {
			lines := strings.SplitAfter(site.list(), "\n")
			p.put("/Go/modified_id.csv", strings.Join(lines[:20], ""))
		}, "not whole"},
		"an empty list":  {func(p *publisher, _ ecosystemOf) { p.put("/Go/modified_id.csv", "\n") }, "line 1"},
		"another record": {func(p *publisher, site ecosystemOf) { p.put("/Go/GO-2024-0007.json", site.records["GO-2024-0008"]) }, "GO-2024-0008"},
		"a cut record": {func(p *publisher, site ecosystemOf) {
			p.put("/Go/GO-2024-0007.json", site.records["GO-2024-0007"][:40])
		}, "malformed"},
		"a wrong sum": {func(p *publisher, _ ecosystemOf) {
			p.header("/Go/GO-2024-0007.json", "X-Goog-Hash", "md5=AAAAAAAAAAAAAAAAAAAAAA==")
		}, "md5"},
	} {
		t.Run(name, func(t *testing.T) {
			p := publish(t, nil)
			site := numbered(100)
			site.publishAll(t, p)
			s := openStore(t)
			o := Options{URL: p.URL, Ecosystems: []string{"Go"}}
			before := mustUpdate(t, s, o)
			site.set("GO-2024-0007", later, "2.0.0")
			site.publishAll(t, p)
			test.spoil(p, site)
			_, err := s.Update(t.Context(), o)
			wantError(t, err, test.says, "revision "+before.Revision+" stays")
			p.mu.Lock()
			p.headers = map[string]http.Header{}
			p.mu.Unlock()
			site.publishAll(t, p)
			after := mustUpdate(t, s, o)
			if want := revisionOf(t, feedOf(t, map[string][]byte{"Go": []byte(site.zip(t))})).ID(); after.Revision != want || !after.Changed {
				t.Errorf("then %+v, want %s", after, want)
			}
		})
	}
}

// TestMirrorIsNotTrusted: a copy that somebody changed, or that is of another
// address, is fetched anew.
func TestMirrorIsNotTrusted(t *testing.T) {
	p := publish(t, nil)
	site := numbered(10)
	site.publishAll(t, p)
	s := openStore(t)
	first := mustUpdate(t, s, Options{URL: p.URL, Ecosystems: []string{"Go"}})
	writeFile(t, s.path("mirror"), "Go.zip", "something else")
	p.since()
	if again := mustUpdate(t, s, Options{URL: p.URL, Ecosystems: []string{"Go"}}); again.Revision != first.Revision {
		t.Errorf("%+v", again)
	}
	wantAnswers(t, p, getList, getArchive)
	if again := mustUpdate(t, s, Options{URL: p.URL + "/", Ecosystems: []string{"Go"}}); again.Revision != first.Revision {
		t.Errorf("%+v", again)
	}
}

// FuzzReadList: a list is refused, or has only what may be part of a URL.
func FuzzReadList(f *testing.F) {
	f.Add("2024-01-01T00:00:00Z,GO-2024-0001\r\n2024-01-01T00:00:00.123Z,ALSA-2024:0001\n")
	f.Add("2024-01-01T00:00:00Z,../x")
	f.Fuzz(func(t *testing.T, text string) {
		list, err := readList(strings.NewReader(text))
		for id := range list {
			if err != nil || strings.ContainsAny(id, "/\\%?#") || strings.HasPrefix(id, ".") {
				t.Errorf("%q, %v", id, err)
			}
		}
	})
}
