package feed

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"patrol/internal/match"
	"patrol/internal/risk"
)

// fuzzSource: whatever a source publishes, it is refused, or what is kept of it is
// by CVE and can be assessed.
func fuzzSource(f *testing.F, decode func(context.Context, string, keeper) (time.Time, error), seeds ...string) {
	for _, seed := range seeds {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(file, data, 0o644); err != nil {
			t.Fatal(err)
		}
		_, _ = decode(t.Context(), file, func(cve string, known risk.Intelligence) error {
			if err := checkCVE(cve); err != nil {
				return err
			}
			if len(known.CVSS) > 3*maxVectors {
				t.Errorf("%s has %d vectors", cve, len(known.CVSS))
			}
			if e := known.EPSS; e != nil && !(e.Score >= 0 && e.Score <= 1) {
				t.Errorf("%s has probability %v", cve, e.Score)
			}
			risk.Assess(match.Vulnerability{Name: cve}, known)
			return nil
		})
	})
}

func FuzzKEV(f *testing.F) { fuzzSource(f, decodeKEV, kevFile, `{"vulnerabilities":[{}]}`) }

func FuzzEPSS(f *testing.F) { fuzzSource(f, decodeEPSS, epssFile, gzipped(f, epssFile)) }

func FuzzNVD(f *testing.F) { fuzzSource(f, decodeNVD, nvdFile, gzipped(f, nvdFile)) }

func FuzzCVEList(f *testing.F) {
	fuzzSource(f, decodeCVEList, cveZip(f, map[string]string{"cves/CVE-2024-1001.json": cveFile, "x.json": "{}"}))
}

// FuzzDecodeCVE reads one record of the CVE list, without a zip around it.
func FuzzDecodeCVE(f *testing.F) {
	for _, seed := range []string{cveFile, cveBare, cveRejected} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		cve, known, _, err := decodeCVE(data)
		if err != nil && (cve != "" || known.CVSS != nil || known.SSVC != nil) {
			t.Errorf("kept %s %+v of what is refused", cve, known)
		}
	})
}
