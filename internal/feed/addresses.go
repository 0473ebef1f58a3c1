package feed

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Addresses are where the sources of intelligence are published: URLs or paths.
// A source without an address is switched off.
type Addresses struct {
	// KEV is CISA's catalogue of known exploited vulnerabilities, as JSON.
	KEV string
	// EPSS are FIRST's scores of a day, as CSV, with or without gzip.
	EPSS string
	// CVE is the CVE list: GitHub's description of its releases, of which the
	// newest baseline and delta are taken; or a zip of CVE JSON 5 records; or a
	// directory with such zips under the names that releases give them.
	CVE string
	// NVD has NVD's yearly JSON 2.0 feeds, nvdcve-2.0-YYYY.json.gz.
	NVD string
}

// DefaultAddresses are where the sources themselves publish.
var DefaultAddresses = Addresses{
	KEV:  "https://www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities.json",
	EPSS: "https://epss.empiricalsecurity.com/epss_scores-current.csv.gz",
	CVE:  "https://api.github.com/repos/CVEProject/cvelistV5/releases?per_page=30",
	NVD:  "https://nvd.nist.gov/feeds/json/cve/2.0/",
}

// part is a file of a source, compiled into a bucket of its own: the source is
// brought up to date part by part.
type part struct {
	Source  string    `json:"source"`
	URL     string    `json:"url"` // without secrets
	AsOf    time.Time `json:"as_of"`
	Records int       `json:"records"`
	validators
}

// fetched is a part that is here.
type fetched struct {
	name string // of its bucket
	part
	file string // empty if it is what is installed
}

// parts are what is installed of a source, by the names of their buckets.
type parts map[string]part

// unlessChanged returns what to recognize the installed part by, if it comes from
// the same place.
func (p parts) unlessChanged(name string, at location) validators {
	if have, ok := p[name]; ok && have.URL == at.String() {
		return have.validators
	}
	return validators{}
}

const (
	kevSource, epssSource, cveSource, nvdSource = "kev", "epss", "cve", "nvd"

	cveDelta = "cve-delta" // the bucket of what the delta changes in the baseline's
)

// source is one of the sources of intelligence.
type source struct {
	name    string
	address func(Addresses) string
	// fetch brings the parts here: all that there are, whether changed or not.
	fetch  func(ctx context.Context, f fetcher, at location, have parts, now time.Time) ([]fetched, error)
	decode func(ctx context.Context, file string, keep keeper) (asOf time.Time, err error)
}

var intelligenceSources = []source{
	{kevSource, func(a Addresses) string { return a.KEV }, fetchOne(kevSource), decodeKEV},
	{epssSource, func(a Addresses) string { return a.EPSS }, fetchOne(epssSource), decodeEPSS},
	{cveSource, func(a Addresses) string { return a.CVE }, fetchCVEList, decodeCVEList},
	{nvdSource, func(a Addresses) string { return a.NVD }, fetchNVD, decodeNVD},
}

// fetchOne fetches a source that is one file.
func fetchOne(name string) func(context.Context, fetcher, location, parts, time.Time) ([]fetched, error) {
	return func(ctx context.Context, f fetcher, at location, have parts, _ time.Time) ([]fetched, error) {
		one, err := fetchPart(ctx, f, name, at, have)
		return []fetched{one}, err
	}
}

func fetchPart(ctx context.Context, f fetcher, name string, at location, have parts) (fetched, error) {
	file, now, err := f.file(ctx, at, maxArchive, have.unlessChanged(name, at))
	if errors.Is(err, errUnchanged) {
		return fetched{name: name, part: have[name]}, nil
	}
	return fetched{name: name, part: part{URL: at.String(), validators: now}, file: file}, err
}

// firstYear is that of the oldest of NVD's feeds; it has all earlier CVEs too.
const firstYear = 2002

func nvdBucket(year int) string { return fmt.Sprintf("%s-%d", nvdSource, year) }

// fetchNVD fetches a part a year. A year that is not there, and never was, is no
// error: the next one's feed appears some time in it, and a mirror may lack old ones.
func fetchNVD(ctx context.Context, f fetcher, at location, have parts, now time.Time) ([]fetched, error) {
	var all []fetched
	for year := firstYear; year <= now.Year(); year++ {
		name := nvdBucket(year)
		feed := at.join(fmt.Sprintf("nvdcve-2.0-%d.json.gz", year))
		one, err := fetchPart(ctx, f, name, feed, have)
		if _, known := have[name]; (notFound(err) || errors.Is(err, os.ErrNotExist)) && !known {
			continue
		}
		if err == nil && one.file != "" {
			err = verifyNVD(ctx, f, at.join(fmt.Sprintf("nvdcve-2.0-%d.meta", year)), one.file)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s: no nvdcve-2.0-YYYY.json.gz there", at)
	}
	return all, nil
}

var metaSum = regexp.MustCompile(`(?mi)^sha256:([0-9a-f]{64})\s*$`)

// verifyNVD compares a feed with the checksum of its uncompressed content that
// NVD publishes beside it. A mirror may lack it.
func verifyNVD(ctx context.Context, f fetcher, meta location, file string) error {
	path, _, err := f.file(ctx, meta, 1<<16, validators{})
	if notFound(err) || errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	sum := metaSum.FindSubmatch(text)
	if sum == nil {
		return fmt.Errorf("%s: no sha256 in it", meta)
	}
	content, err := openContent(file)
	if err != nil {
		return err
	}
	defer content.Close()
	h := sha256.New()
	if _, err := io.Copy(h, content); err != nil {
		return err
	}
	if got := hex.EncodeToString(h.Sum(nil)); !strings.EqualFold(got, string(sum[1])) {
		return fmt.Errorf("the feed's SHA-256 is %s where %s announces %s", got, meta, strings.ToLower(string(sum[1])))
	}
	return nil
}

// The files of a release of the CVE list (https://github.com/CVEProject/cvelistV5/releases):
// all records as of midnight, and those that changed since.
var (
	baselineName = regexp.MustCompile(`^\d{4}-\d\d-\d\d_all_CVEs_at_midnight\.zip(\.zip)?$`)
	deltaName    = regexp.MustCompile(`^\d{4}-\d\d-\d\d_delta_CVEs_at_\d{4}Z\.zip$`)
)

// fetchCVEList fetches the baseline, and a delta where there is one.
func fetchCVEList(ctx context.Context, f fetcher, at location, have parts, _ time.Time) ([]fetched, error) {
	baseline, delta, err := cveLocations(ctx, f, at, have)
	if err != nil {
		return nil, err
	}
	wanted := []fetched{{name: cveSource, part: baseline.part, file: baseline.file}}
	if delta != nil {
		wanted = append(wanted, fetched{name: cveDelta, part: delta.part, file: delta.file})
	}
	for i, w := range wanted {
		if w.file == "" {
			continue
		}
		if wanted[i].file, err = unpack(w.file, f.scratch); err != nil {
			return nil, fmt.Errorf("%s: %w", w.URL, err)
		}
	}
	return wanted, nil
}

// cveLocations finds out which of the three an address is, and fetches.
func cveLocations(ctx context.Context, f fetcher, at location, have parts) (baseline fetched, delta *fetched, err error) {
	if info, err := os.Stat(at.path); at.url == nil && err == nil && info.IsDir() {
		return cveDirectory(ctx, f, at, have)
	}
	one, err := fetchPart(ctx, f, cveSource, at, have)
	if err != nil || one.file == "" {
		return one, nil, err
	}
	isRelease, err := beginsLikeJSON(one.file)
	if err != nil || !isRelease {
		return one, nil, err
	}
	assets, err := readReleases(one.file)
	if err != nil {
		return one, nil, fmt.Errorf("%s: %w", at, err)
	}
	if baseline, err = f.asset(ctx, cveSource, assets[0], have); err != nil || len(assets) == 1 {
		return baseline, nil, err
	}
	changed, err := f.asset(ctx, cveDelta, assets[1], have)
	return baseline, &changed, err
}

func cveDirectory(ctx context.Context, f fetcher, at location, have parts) (baseline fetched, delta *fetched, err error) {
	entries, err := os.ReadDir(at.path) // sorted, and so the newest last
	if err != nil {
		return baseline, nil, err
	}
	var newest, changes string
	for _, e := range entries {
		switch {
		case baselineName.MatchString(e.Name()):
			newest, changes = e.Name(), ""
		case deltaName.MatchString(e.Name()):
			changes = e.Name()
		}
	}
	if newest == "" {
		return baseline, nil, fmt.Errorf("%s: no YYYY-MM-DD_all_CVEs_at_midnight.zip in it", at)
	}
	if baseline, err = fetchPart(ctx, f, cveSource, at.join(newest), have); err != nil || changes < newest[:len(time.DateOnly)] {
		return baseline, nil, err
	}
	changed, err := fetchPart(ctx, f, cveDelta, at.join(changes), have)
	return baseline, &changed, err
}

func beginsLikeJSON(file string) (bool, error) {
	f, err := os.Open(file)
	if err != nil {
		return false, err
	}
	defer f.Close()
	var first [1]byte
	_, err = io.ReadFull(f, first[:])
	return first[0] == '{' || first[0] == '[', err
}

// asset is a file of a GitHub release
// (https://docs.github.com/en/rest/releases/releases).
type asset struct {
	Name   string `json:"name"`
	URL    string `json:"browser_download_url"`
	Size   int64  `json:"size"`
	Digest string `json:"digest"` // sha256:…, where GitHub says it
}

type release struct {
	Assets []asset `json:"assets"`
}

// readReleases returns the baseline of the newest release that has one, and its
// delta if it has one too.
func readReleases(file string) ([]asset, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	if len(text) > 16<<20 {
		return nil, errors.New("too large for a description of releases")
	}
	var releases []release
	if text[0] == '{' {
		releases = make([]release, 1)
		err = json.Unmarshal(text, &releases[0])
	} else {
		err = json.Unmarshal(text, &releases)
	}
	if err != nil {
		return nil, fmt.Errorf("malformed description of releases: %w", err)
	}
	for _, r := range releases {
		baseline := slices.IndexFunc(r.Assets, func(a asset) bool { return baselineName.MatchString(a.Name) })
		delta := slices.IndexFunc(r.Assets, func(a asset) bool { return deltaName.MatchString(a.Name) })
		switch {
		case baseline >= 0 && delta >= 0:
			return []asset{r.Assets[baseline], r.Assets[delta]}, nil
		case baseline >= 0:
			return []asset{r.Assets[baseline]}, nil
		}
	}
	return nil, errors.New("no release with an all_CVEs_at_midnight.zip")
}

// asset fetches a file of a release, unless it is the one that is installed:
// each hourly release repeats the baseline of the day under another URL.
func (f fetcher) asset(ctx context.Context, name string, a asset, have parts) (fetched, error) {
	id := validators{ETag: fmt.Sprintf("%s %d %s", a.Name, a.Size, a.Digest)}
	if installed, ok := have[name]; ok && installed.validators == id {
		return fetched{name: name, part: installed}, nil
	}
	at, err := newLocation(a.URL)
	if err != nil {
		return fetched{}, fmt.Errorf("asset %.200q: %w", a.Name, err)
	}
	if at.url == nil {
		return fetched{}, fmt.Errorf("asset %.200q has no URL to download it from", a.Name)
	}
	file, _, err := f.file(ctx, at, maxArchive, validators{})
	if err == nil {
		err = verifyAsset(file, a)
	}
	if err != nil {
		return fetched{}, err
	}
	return fetched{name: name, part: part{URL: at.String(), validators: id}, file: file}, nil
}

func verifyAsset(file string, a asset) error {
	f, err := os.Open(filepath.Clean(file))
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	if err != nil {
		return err
	}
	if a.Size > 0 && n != a.Size {
		return fmt.Errorf("%s: %d bytes where %d are announced", a.URL, n, a.Size)
	}
	want, isSHA256 := strings.CutPrefix(a.Digest, "sha256:")
	if got := hex.EncodeToString(h.Sum(nil)); isSHA256 && got != want {
		return fmt.Errorf("%s: its SHA-256 is %s where %s is announced", a.URL, got, want)
	}
	return nil
}
