package feed

import (
	"context"
	"errors"
	"fmt"
	"time"

	"patrol/internal/risk"
)

// decodeNVD reads one year of NVD's JSON 2.0 feeds
// (https://nvd.nist.gov/vuln/data-feeds), and keeps the vectors that NVD itself
// has made: those of others come from the CVE list.
func decodeNVD(_ context.Context, file string, keep keeper) (asOf time.Time, err error) {
	content, err := openContent(file)
	if err != nil {
		return asOf, err
	}
	defer content.Close()
	format, announced, found := "", -1, 0
	err = readObject(content, func(name string, s *stream) error {
		switch name {
		case "format":
			return s.Decode(&format)
		case "totalResults":
			return s.Decode(&announced)
		case "timestamp":
			return s.Decode((*nvdTime)(&asOf))
		case "vulnerabilities":
			return s.each(func() error {
				var entry nvdEntry
				if err := s.Decode(&entry); err != nil {
					return err
				}
				found++
				vectors := entry.vectors()
				if len(vectors) == 0 {
					return checkCVE(entry.CVE.ID)
				}
				return keep(entry.CVE.ID, risk.Intelligence{CVSS: vectors})
			})
		}
		return s.skip()
	})
	switch {
	case err != nil:
		return asOf, err
	case format != "NVD_CVE" || asOf.IsZero():
		return asOf, errors.New("it is not of the format NVD_CVE with a timestamp: this is no feed of NVD's JSON 2.0")
	case announced != found:
		return asOf, fmt.Errorf("it announces %d CVEs and has %d", announced, found)
	}
	return asOf, nil
}

// nvdTime is a time without a zone, in UTC.
type nvdTime time.Time

func (t *nvdTime) UnmarshalText(text []byte) error {
	parsed, err := time.Parse("2006-01-02T15:04:05", string(text))
	if err != nil {
		parsed, err = time.Parse(time.RFC3339, string(text))
	}
	*t = nvdTime(parsed.UTC())
	return err
}

type nvdEntry struct {
	CVE struct {
		ID      string `json:"id"`
		Metrics struct {
			V40 []nvdMetric `json:"cvssMetricV40"`
			V31 []nvdMetric `json:"cvssMetricV31"`
			V30 []nvdMetric `json:"cvssMetricV30"`
			V2  []nvdMetric `json:"cvssMetricV2"`
		} `json:"metrics"`
	} `json:"cve"`
}

type nvdMetric struct {
	Source string `json:"source"`
	Data   struct {
		Vector string `json:"vectorString"`
	} `json:"cvssData"`
}

func (e *nvdEntry) vectors() []risk.Vector {
	var found []risk.Vector
	m := e.CVE.Metrics
	for _, metrics := range [][]nvdMetric{m.V40, m.V31, m.V30, m.V2} {
		for _, metric := range metrics {
			if metric.Source == "nvd@nist.gov" {
				found = addVector(found, metric.Data.Vector, risk.NVD)
			}
		}
	}
	return found
}
