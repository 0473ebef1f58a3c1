package feed

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"patrol/internal/risk"
)

// Files in the shapes that the sources publish.
const (
	kevFile = `{"title":"CISA Catalog of Known Exploited Vulnerabilities","catalogVersion":"2024.06.01","dateReleased":"2024-06-01T17:04:19.9796Z","count":1,
		"vulnerabilities":[{"cveID":"CVE-2024-1001","vendorProject":"V","product":"P","dateAdded":"2024-05-30","dueDate":"2024-06-20","knownRansomwareCampaignUse":"Known","notes":"","cwes":["CWE-79"]}]}`
	epssFile = "#model_version:v2025.03.14,score_date:2024-06-02T12:55:00Z\ncve,epss,percentile\nCVE-2024-1001,0.94321,0.99912\nCVE-2024-1002,0.00043,0.1\n"

	vectorCNA = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H"
	vectorADP = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
	vectorNVD = "CVSS:3.1/AV:L/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:L"

	cveFile = `{"dataType":"CVE_RECORD","dataVersion":"5.1","cveMetadata":{"cveId":"CVE-2024-1001","state":"PUBLISHED","dateUpdated":"2024-06-01T01:02:03.456Z"},
		"containers":{"cna":{"providerMetadata":{"shortName":"redhat"},"metrics":[{"format":"CVSS","scenarios":[{"lang":"en","value":"GENERAL"}],
			"cvssV3_1":{"baseScore":7.5,"vectorString":"` + vectorCNA + `","version":"3.1"}},{"other":{"type":"Red Hat severity rating","content":{"value":"Important"}}}]},
		"adp":[{"title":"CVE Program Container","providerMetadata":{"shortName":"CVE"}},
			{"title":"CISA ADP Vulnrichment","providerMetadata":{"shortName":"CISA-ADP"},"metrics":[
			{"cvssV3_1":{"vectorString":"` + vectorADP + `"}},
			{"other":{"type":"ssvc","content":{"id":"CVE-2024-1001","role":"CISA Coordinator","timestamp":"2024-05-31T10:00:00.123Z","version":"2.0.3",
				"options":[{"Exploitation":"active"},{"Automatable":"yes"},{"Technical Impact":"partial"}]}}}]}]}}`
	cveBare     = `{"cveMetadata":{"cveId":"CVE-2024-1002","state":"PUBLISHED","dateUpdated":"2024-05-01T00:00:00Z"},"containers":{"cna":{"providerMetadata":{"shortName":"mitre"}}}}`
	cveRejected = `{"cveMetadata":{"cveId":"CVE-2024-1001","state":"REJECTED","dateUpdated":"2024-06-03T00:00:00Z"},"containers":{"cna":{"providerMetadata":{"shortName":"redhat"},
		"metrics":[{"cvssV3_1":{"vectorString":"` + vectorCNA + `"}}]}}}`

	nvdFile = `{"resultsPerPage":2,"startIndex":0,"totalResults":2,"format":"NVD_CVE","version":"2.0","timestamp":"2024-06-02T03:00:08.000","vulnerabilities":[
		{"cve":{"id":"CVE-2024-1001","vulnStatus":"Analyzed","metrics":{"cvssMetricV31":[{"source":"nvd@nist.gov","type":"Primary","cvssData":{"version":"3.1","vectorString":"` + vectorNVD + `"}}]}}},
		{"cve":{"id":"CVE-2024-1002","metrics":{"cvssMetricV31":[{"source":"nvd@nist.gov","type":"Primary","cvssData":{"vectorString":"` + vectorNVD + `"}},
			{"source":"cna@example.org","type":"Secondary","cvssData":{"vectorString":"` + vectorCNA + `"}}]}}}]}`
)

// cveZip is a release's file: entry → record.
func cveZip(t testing.TB, entries map[string]string) string {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for name, record := range entries {
		f, err := w.Create(name)
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
	return b.String()
}

func baselineZip(t testing.TB) string {
	return cveZip(t, map[string]string{"cves.zip": cveZip(t, map[string]string{
		"cves/2024/1xxx/CVE-2024-1001.json": cveFile, "cves/2024/1xxx/CVE-2024-1002.json": cveBare, "cves/delta.json": "{}",
	})})
}

// intelligencePublisher serves all four.
func intelligencePublisher(t testing.TB) (*publisher, Addresses) {
	t.Helper()
	p := publish(t, map[string]string{
		"/kev.json":                    kevFile,
		"/epss.csv.gz":                 gzipped(t, epssFile),
		"/nvd/nvdcve-2.0-2024.json.gz": gzipped(t, nvdFile),
		"/nvd/nvdcve-2.0-2024.meta":    meta(nvdFile),
		"/dl/baseline":                 baselineZip(t),
		"/cve.zip":                     baselineZip(t),
	})
	describeRelease(t, p, "2024-06-01", "")
	return p, Addresses{KEV: p.URL + "/kev.json", EPSS: p.URL + "/epss.csv.gz", CVE: p.URL + "/releases", NVD: p.URL + "/nvd/"}
}

func meta(content string) string {
	sum := sha256.Sum256([]byte(content))
	return "lastModifiedDate:2024-06-02T03:00:08-04:00\r\nsize:1\r\nsha256:" + strings.ToUpper(hex.EncodeToString(sum[:])) + "\r\n"
}

// describeRelease writes the newest release as GitHub does.
func describeRelease(t testing.TB, p *publisher, day, delta string) {
	t.Helper()
	describe := func(name, path string) string {
		p.mu.Lock()
		defer p.mu.Unlock()
		sum := sha256.Sum256(p.files[path])
		return fmt.Sprintf(`{"name":%q,"browser_download_url":%q,"size":%d,"digest":"sha256:%x"}`, name, p.URL+path, len(p.files[path]), sum)
	}
	assets := describe(day+"_all_CVEs_at_midnight.zip.zip", "/dl/baseline")
	if delta != "" {
		assets += "," + describe(day+"_delta_CVEs_at_1200Z.zip", delta)
	}
	p.put("/releases", `[{"tag_name":"cve_end_of_day","assets":[]},{"tag_name":"cve_`+day+`","assets":[`+assets+`]}]`)
}

func mustUpdateIntelligence(t testing.TB, s *Store, a Addresses) IntelligenceOutcome {
	t.Helper()
	outcome, err := s.UpdateIntelligence(t.Context(), Options{Intelligence: a})
	if err != nil {
		t.Fatal(err)
	}
	return outcome
}

func knownOf(t testing.TB, s *Store, cve string) risk.Intelligence {
	t.Helper()
	i, err := s.Intelligence(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	known, err := i.Of(cve)
	if err != nil {
		t.Fatal(err)
	}
	return known
}

func TestIntelligence(t *testing.T) {
	p, addresses := intelligencePublisher(t)
	s := openStore(t)
	if known := knownOf(t, s, "CVE-2024-1001"); !reflect.DeepEqual(known, risk.Intelligence{}) {
		t.Errorf("before anything is installed: %+v", known)
	}
	outcome := mustUpdateIntelligence(t, s, addresses)
	if !outcome.Changed || len(outcome.Failed) != 0 || !revisionID.MatchString(outcome.Revision) {
		t.Fatalf("%+v", outcome)
	}
	want := risk.Intelligence{
		CVSS: []risk.Vector{{Vector: vectorCNA, Source: "redhat"}, {Vector: vectorADP, Source: "CISA-ADP"}, {Vector: vectorNVD, Source: risk.NVD}},
		SSVC: &risk.SSVC{Exploitation: "active", Automatable: "yes", TechnicalImpact: "partial", Timestamp: time.Date(2024, 5, 31, 10, 0, 0, 123e6, time.UTC)},
		EPSS: &risk.EPSS{Score: 0.94321, Percentile: 0.99912, Date: time.Date(2024, 6, 2, 12, 55, 0, 0, time.UTC)},
		KEV:  &risk.KEV{Listed: true, Added: "2024-05-30", Due: "2024-06-20", Ransomware: true},
	}
	if got := knownOf(t, s, "CVE-2024-1001"); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	other := knownOf(t, s, "CVE-2024-1002")
	if len(other.CVSS) != 1 || other.CVSS[0].Source != risk.NVD || other.SSVC != nil || other.KEV == nil || other.KEV.Listed {
		t.Errorf("got %+v", other)
	}
	for _, name := range []string{"CVE-1999-0001", "GHSA-aaaa", ""} {
		if got := knownOf(t, s, name); !reflect.DeepEqual(got, risk.Intelligence{KEV: &risk.KEV{}}) {
			t.Errorf("%q: %+v", name, got)
		}
	}
	status, err := s.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	asOf := map[string]string{"kev": "2024-06-01T17:04:19Z", "epss": "2024-06-02T12:55:00Z", "cve": "2024-06-01T01:02:03Z", "nvd": "2024-06-02T03:00:08Z"}
	for _, source := range status.Sources[len(status.Sources)-4:] {
		if source.State != SourceOK || source.AsOf.Format(time.RFC3339) != asOf[source.Name] || source.Records == 0 || source.Age < 1 {
			t.Errorf("%+v", source)
		}
	}
	p.since()

	// The same again: nothing is sent, nothing is written.
	again := mustUpdateIntelligence(t, s, addresses)
	if again.Changed || again.Revision != outcome.Revision || len(again.Failed) != 0 {
		t.Errorf("again %+v", again)
	}
	answers := []string{"304 /kev.json", "304 /epss.csv.gz", "200 /releases"}
	for year := 2002; year <= time.Now().UTC().Year(); year++ {
		status := 404
		if year == 2024 {
			status = 304
		}
		answers = append(answers, fmt.Sprintf("%d /nvd/nvdcve-2.0-%d.json.gz", status, year))
	}
	wantAnswers(t, p, answers...)
}

// TestCVEDelta: the baseline is fetched once; the delta of the hour changes it, and
// takes back what it says.
func TestCVEDelta(t *testing.T) {
	p, addresses := intelligencePublisher(t)
	addresses = Addresses{CVE: addresses.CVE}
	s := openStore(t)
	mustUpdateIntelligence(t, s, addresses)
	p.since()
	p.put("/dl/delta", cveZip(t, map[string]string{"deltaCves/CVE-2024-1001.json": cveRejected}))
	describeRelease(t, p, "2024-06-01", "/dl/delta")
	if outcome := mustUpdateIntelligence(t, s, addresses); !outcome.Changed || len(outcome.Failed) != 0 {
		t.Errorf("%+v", outcome)
	}
	wantAnswers(t, p, "200 /releases", "200 /dl/delta")
	if got := knownOf(t, s, "CVE-2024-1001"); len(got.CVSS) != 0 || got.SSVC != nil {
		t.Errorf("a rejected CVE says %+v", got)
	}
	// A zip by its own URL, and a directory of them, are as good.
	dir := t.TempDir()
	writeFile(t, dir, "2024-06-01_all_CVEs_at_midnight.zip", baselineZip(t))
	writeFile(t, dir, "2024-06-01_delta_CVEs_at_0100Z.zip", cveZip(t, map[string]string{"deltaCves/CVE-2024-1001.json": cveRejected}))
	for address, vectors := range map[string]int{p.URL + "/cve.zip": 2, filepath.Join(dir, "2024-06-01_all_CVEs_at_midnight.zip"): 2, dir: 0} {
		s := openStore(t)
		for _, changed := range []bool{true, false} {
			outcome := mustUpdateIntelligence(t, s, Addresses{CVE: address})
			if outcome.Changed != changed || len(outcome.Failed) != 0 || len(knownOf(t, s, "CVE-2024-1001").CVSS) != vectors {
				t.Errorf("%s: %+v", address, outcome)
			}
		}
	}
}

// TestSourcesAreIndependent: whatever is wrong with one source, what is installed
// of it stays, and the others go on.
func TestSourcesAreIndependent(t *testing.T) {
	for name, test := range map[string]struct {
		source string
		spoil  func(t *testing.T, p *publisher)
		says   string
	}{
		"KEV gone":      {"kev", func(_ *testing.T, p *publisher) { p.put("/kev.json", "") }, "404"},
		"KEV truncated": {"kev", func(_ *testing.T, p *publisher) { p.put("/kev.json", kevFile[:len(kevFile)-9]) }, "truncated"},
		"KEV short": {"kev", func(_ *testing.T, p *publisher) {
			p.put("/kev.json", strings.Replace(kevFile, `"count":1`, `"count":2`, 1))
		}, "announces 2"},
		"KEV older": {"kev", func(_ *testing.T, p *publisher) {
			p.put("/kev.json", strings.Replace(kevFile, "2024-06-01T", "2024-05-01T", 1))
		}, "older"},
		"KEV is HTML":    {"kev", func(_ *testing.T, p *publisher) { p.put("/kev.json", "<html>") }, "invalid character"},
		"KEV is another": {"kev", func(_ *testing.T, p *publisher) { p.put("/kev.json", "{}") }, "dateReleased"},
		"EPSS truncated": {"epss", func(t *testing.T, p *publisher) {
			whole := gzipped(t, epssFile+"CVE-2024-1003,0.1,0.1\n")
			p.put("/epss.csv.gz", whole[:len(whole)-4])
		}, "truncated"},
		"EPSS wrong sum": {"epss", func(t *testing.T, p *publisher) {
			p.put("/epss.csv.gz", gzipped(t, epssFile+"CVE-2024-1003,0.1,0.1\n"))
			p.header("/epss.csv.gz", "X-Goog-Hash", "crc32c=AAAAAA==,md5=AAAAAAAAAAAAAAAAAAAAAA==")
		}, "crc32c"},
		"EPSS no number": {"epss", func(_ *testing.T, p *publisher) { p.put("/epss.csv.gz", epssFile+"CVE-2024-1003,NaN,0\n") }, "line 5"},
		"CVE wrong size": {"cve", func(_ *testing.T, p *publisher) {
			p.put("/releases", `{"assets":[{"name":"2024-06-02_all_CVEs_at_midnight.zip","browser_download_url":"`+p.URL+`/dl/baseline","size":7}]}`)
		}, "7 are announced"},
		"CVE wrong sum": {"cve", func(_ *testing.T, p *publisher) {
			p.put("/releases", `{"assets":[{"name":"2024-06-02_all_CVEs_at_midnight.zip","browser_download_url":"`+p.URL+`/dl/baseline","digest":"sha256:00"}]}`)
		}, "SHA-256"},
		"CVE no zip": {"cve", func(t *testing.T, p *publisher) {
			p.put("/dl/baseline", "PK not quite")
			describeRelease(t, p, "2024-06-02", "")
		}, "not a zip"},
		"CVE malformed": {"cve", func(t *testing.T, p *publisher) {
			p.put("/dl/baseline", cveZip(t, map[string]string{"CVE-2024-1001.json": `{"cveMetadata":`}))
			describeRelease(t, p, "2024-06-02", "")
		}, "malformed"},
		"CVE no baseline": {"cve", func(_ *testing.T, p *publisher) { p.put("/releases", `[]`) }, "no release"},
		"NVD wrong sum":   {"nvd", func(t *testing.T, p *publisher) { p.put("/nvd/nvdcve-2.0-2024.json.gz", gzipped(t, nvdFile+" ")) }, "SHA-256"},
		"NVD a year gone": {"nvd", func(_ *testing.T, p *publisher) { p.put("/nvd/nvdcve-2.0-2024.json.gz", "") }, "404"},
		"NVD a year older": {"nvd", func(t *testing.T, p *publisher) {
			p.put("/nvd/nvdcve-2.0-2025.json.gz", gzipped(t, strings.ReplaceAll(nvdFile, "CVE-2024", "CVE-2025")))
			old := strings.Replace(nvdFile, "2024-06-02T", "2024-05-02T", 1)
			p.put("/nvd/nvdcve-2.0-2024.json.gz", gzipped(t, old))
			p.put("/nvd/nvdcve-2.0-2024.meta", meta(old))
		}, "source nvd-2024 is older"},
		"NVD short": {"nvd", func(t *testing.T, p *publisher) {
			short := strings.Replace(nvdFile, `"totalResults":2`, `"totalResults":3`, 1)
			p.put("/nvd/nvdcve-2.0-2024.json.gz", gzipped(t, short))
			p.put("/nvd/nvdcve-2.0-2024.meta", meta(short))
		}, "announces 3"},
	} {
		t.Run(name, func(t *testing.T) {
			p, addresses := intelligencePublisher(t)
			s := openStore(t)
			mustUpdateIntelligence(t, s, addresses)
			before := knownOf(t, s, "CVE-2024-1001")
			test.spoil(t, p)
			// Another source has something new.
			newer := "epss"
			if test.source == "epss" {
				newer = "kev"
				p.put("/kev.json", strings.NewReplacer("2024-06-01T", "2024-06-05T", "2024-06-20", "2024-06-21").Replace(kevFile))
			} else {
				p.put("/epss.csv.gz", gzipped(t, strings.NewReplacer("06-02T", "06-03T", "0.94321", "0.5").Replace(epssFile)))
			}
			outcome := mustUpdateIntelligence(t, s, addresses)
			if !outcome.Changed || len(outcome.Failed) != 1 || outcome.Failed[0].Name != test.source || !strings.Contains(outcome.Failed[0].Error, test.says) {
				t.Fatalf("%+v", outcome)
			}
			after := knownOf(t, s, "CVE-2024-1001")
			changed := after.EPSS.Score == 0.5 || after.KEV.Due == "2024-06-21"
			after.EPSS, after.KEV = before.EPSS, before.KEV
			if !changed || !reflect.DeepEqual(before, after) {
				t.Errorf("%s is not new or something else is:\n%+v\n%+v", newer, before, after)
			}
			last, err := s.readState()
			if err != nil {
				t.Fatal(err)
			}
			known, err := s.Intelligence(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, source := range statusOfIntelligence(known, last) {
				if failed := source.State == SourceFailed; failed != (source.Name == test.source) || failed == (source.Error == "") || source.Records == 0 {
					t.Errorf("%+v", source)
				}
			}
		})
	}
}

func TestSwitchedOff(t *testing.T) {
	_, addresses := intelligencePublisher(t)
	s := openStore(t)
	mustUpdateIntelligence(t, s, addresses)
	addresses.KEV = ""
	if outcome := mustUpdateIntelligence(t, s, addresses); !outcome.Changed || len(outcome.Sources) != 3 {
		t.Errorf("%+v", outcome)
	}
	if known := knownOf(t, s, "CVE-2024-1001"); known.KEV != nil || known.EPSS == nil {
		t.Errorf("%+v", known)
	}
	status, err := s.Status(t.Context())
	if i := slices.IndexFunc(status.Sources, func(s SourceStatus) bool { return s.Name == "kev" }); err != nil || status.Sources[i].State != SourceOff || status.Sources[i].Switch != "--kev-url" {
		t.Errorf("%+v, %v", status.Sources, err)
	}
	if outcome := mustUpdateIntelligence(t, s, Addresses{}); !outcome.Changed || len(outcome.Sources) != 0 {
		t.Errorf("%+v", outcome)
	}
}

func TestOlderSourceIsAllowed(t *testing.T) {
	p, addresses := intelligencePublisher(t)
	s := openStore(t)
	mustUpdateIntelligence(t, s, addresses)
	p.put("/kev.json", strings.NewReplacer("2024-06-01T", "2024-05-01T", "2024-06-20", "2024-06-21").Replace(kevFile))
	outcome, err := s.UpdateIntelligence(t.Context(), Options{Intelligence: addresses, AllowOlder: true})
	if err != nil || !outcome.Changed || len(outcome.Failed) != 0 {
		t.Errorf("%+v, %v", outcome, err)
	}
}

func TestUnreachableSources(t *testing.T) {
	gone := publish(t, nil)
	gone.Close()
	s := openStore(t)
	a := Addresses{KEV: strings.Replace(gone.URL, "//", "//u:secret@", 1) + "/kev", EPSS: "/nowhere/epss", CVE: "ftp://example.org/x", NVD: t.TempDir()}
	outcome := mustUpdateIntelligence(t, s, a)
	says := []string{"refused", "/nowhere/epss", `"ftp"`, "no nvdcve-2.0"}
	if outcome.Revision != "" || len(outcome.Failed) != 4 {
		t.Fatalf("%+v", outcome)
	}
	for i, failed := range outcome.Failed {
		if !strings.Contains(failed.Error, says[i]) || strings.Contains(failed.Error, "secret") || strings.Contains(failed.Error, "\n") {
			t.Errorf("%+v does not say %q", failed, says[i])
		}
	}
	if left, err := filepath.Glob(s.path(temporaryPrefix + "*")); err != nil || len(left) != 0 {
		t.Errorf("left behind %v, %v", left, err)
	}
}

// TestIntelligenceSwapIsNoticed: another process that has the directory open sees
// the new state, and what it holds stays readable.
func TestIntelligenceSwapIsNoticed(t *testing.T) {
	p, addresses := intelligencePublisher(t)
	writer := openStore(t)
	reader := openStoreAt(t, writer.dir)
	mustUpdateIntelligence(t, writer, addresses)
	held, err := reader.Intelligence(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, due := range []string{"2024-06-22", "2024-06-23", "2024-06-24"} {
		p.put("/kev.json", strings.Replace(kevFile, "2024-06-20", due, 1))
		mustUpdateIntelligence(t, writer, addresses)
		if known := knownOf(t, reader, "CVE-2024-1001"); known.KEV.Due != due {
			t.Errorf("%+v", known.KEV)
		}
		if known, err := held.Of("CVE-2024-1001"); err != nil || known.KEV.Due != "2024-06-20" {
			t.Errorf("%+v, %v", known.KEV, err)
		}
	}
}

func TestAnnouncedSums(t *testing.T) {
	for field, ok := range map[string]bool{
		"crc32c=y7S6Fw==": false, "md5=XUFAKrxLKna5cZ2REBfFkg==": true, "sha-256=:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:": true, "tiger=x": true, "md5=": false,
	} {
		sums := announcedSums(http.Header{"X-Goog-Hash": {field}})
		sums.Write([]byte("hello"))
		if err := sums.verify(); (err == nil) != ok {
			t.Errorf("%s: %v", field, err)
		}
	}
}
