package feed

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"patrol/internal/match"
	"patrol/internal/risk"
)

// decodeCVEList reads a zip of CVE JSON 5 records, a baseline or a delta. Records
// that have neither a vector nor SSVC values are kept too, empty, so that a delta
// takes back what the baseline says.
func decodeCVEList(ctx context.Context, file string, keep keeper) (asOf time.Time, err error) {
	f, err := os.Open(file)
	if err != nil {
		return asOf, err
	}
	defer f.Close()
	entries, err := cveEntries(f)
	if err != nil {
		return asOf, err
	}
	var buffer bytes.Buffer
	var total int64
	for i, entry := range entries {
		if err := ctx.Err(); err != nil {
			return asOf, err
		}
		if err := inflate(&buffer, entry, defaultLimits.entry); err != nil {
			return asOf, fmt.Errorf("entry %.200q: %w", entry.Name, err)
		}
		if total += int64(buffer.Len()); total > defaultLimits.total {
			return asOf, fmt.Errorf("it inflates to more than %d bytes", defaultLimits.total)
		}
		cve, known, updated, err := decodeCVE(buffer.Bytes())
		if err == nil {
			err = keep(cve, known)
		}
		if err != nil {
			return asOf, fmt.Errorf("entry %.200q: %w", entry.Name, err)
		}
		if updated.After(asOf) {
			asOf = updated
		}
		entries[i] = nil
	}
	return asOf, nil
}

// cveEntries lists the CVE records of a zip in the order of their CVEs, which
// fills the index best.
func cveEntries(f *os.File) ([]*zip.File, error) {
	reader, err := zipReader(f)
	if err != nil {
		return nil, err
	}
	entries := slices.DeleteFunc(reader.File, func(f *zip.File) bool {
		name, isJSON := strings.CutSuffix(path.Base(f.Name), ".json")
		return !isJSON || !match.IsCVE(name)
	})
	if len(entries) == 0 {
		return nil, errors.New("no CVE records in it")
	}
	slices.SortFunc(entries, func(a, b *zip.File) int { return strings.Compare(path.Base(a.Name), path.Base(b.Name)) })
	return entries, nil
}

// unpack returns the file of the zip that is in a zip, for so the baseline is
// released; or the file itself if there is none in it.
func unpack(file, scratch string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	reader, err := zipReader(f)
	if err != nil {
		return "", err
	}
	i := slices.IndexFunc(reader.File, func(f *zip.File) bool { return path.Ext(f.Name) == ".zip" })
	if i < 0 {
		return file, nil
	}
	content, err := reader.File[i].Open()
	if err != nil {
		return "", err
	}
	defer content.Close()
	inner, err := os.CreateTemp(scratch, "*.zip")
	if err != nil {
		return "", err
	}
	n, err := io.Copy(inner, io.LimitReader(content, maxArchive+1))
	if err == nil && n > maxArchive {
		err = fmt.Errorf("more than %d bytes", int64(maxArchive))
	}
	if err := errors.Join(err, inner.Close()); err != nil {
		return "", fmt.Errorf("entry %.200q: %w", reader.File[i].Name, err)
	}
	return inner.Name(), nil
}

// cveRecord is a record of the CVE list, as far as Patrol reads it
// (https://github.com/CVEProject/cve-schema, version 5).
type cveRecord struct {
	Metadata struct {
		ID      string `json:"cveId"`
		State   string `json:"state"`
		Updated date   `json:"dateUpdated"`
	} `json:"cveMetadata"`
	Containers struct {
		CNA cveContainer   `json:"cna"`
		ADP []cveContainer `json:"adp"`
	} `json:"containers"`
}

type cveContainer struct {
	Provider struct {
		Name string `json:"shortName"`
	} `json:"providerMetadata"`
	Metrics []struct {
		V40   cveVector `json:"cvssV4_0"`
		V31   cveVector `json:"cvssV3_1"`
		V30   cveVector `json:"cvssV3_0"`
		V20   cveVector `json:"cvssV2_0"`
		Other struct {
			Type    string          `json:"type"`
			Content json.RawMessage `json:"content"`
		} `json:"other"`
	} `json:"metrics"`
}

type cveVector struct {
	Vector string `json:"vectorString"`
}

// cisaADP is the name of the container in which CISA enriches the record
// (https://github.com/cisagov/vulnrichment).
const cisaADP = "CISA-ADP"

// decodeCVE returns the vectors of the CNA and of CISA, and CISA's SSVC values.
// A record that is not published, or was rejected, says nothing.
func decodeCVE(data []byte) (cve string, known risk.Intelligence, updated time.Time, err error) {
	var record cveRecord
	if err := json.Unmarshal(data, &record); err != nil {
		return "", known, updated, fmt.Errorf("malformed record: %w", err)
	}
	cve, updated = record.Metadata.ID, record.Metadata.Updated.Time
	if record.Metadata.State != "PUBLISHED" {
		return cve, known, updated, nil
	}
	known.CVSS = record.Containers.CNA.vectors(nil)
	for _, adp := range record.Containers.ADP {
		if adp.Provider.Name == cisaADP {
			known.CVSS = adp.vectors(known.CVSS)
			known.SSVC = adp.ssvc()
		}
	}
	return cve, known, updated, nil
}

func (c *cveContainer) vectors(found []risk.Vector) []risk.Vector {
	source := oneLine(c.Provider.Name, "")
	if source == "" {
		source = "CNA"
	}
	for _, m := range c.Metrics {
		for _, v := range []cveVector{m.V40, m.V31, m.V30, m.V20} {
			found = addVector(found, v.Vector, source)
		}
	}
	return found
}

// maxVectors and maxVector bound what is kept of one CVE.
const (
	maxVectors = 20
	maxVector  = 512 // bytes; a complete CVSS v4.0 vector has 180
)

func addVector(found []risk.Vector, vector, source string) []risk.Vector {
	v := risk.Vector{Vector: vector, Source: source}
	if vector == "" || len(vector) > maxVector || len(found) == maxVectors || slices.Contains(found, v) {
		return found
	}
	return append(found, v)
}

// ssvc returns the values of CISA's decision points: a list of objects with one
// member each. A metric of that type that has another shape says nothing.
func (c *cveContainer) ssvc() *risk.SSVC {
	for _, m := range c.Metrics {
		if m.Other.Type != "ssvc" {
			continue
		}
		var content struct {
			Timestamp date                `json:"timestamp"`
			Options   []map[string]string `json:"options"`
		}
		if json.Unmarshal(m.Other.Content, &content) != nil {
			continue
		}
		values := &risk.SSVC{Timestamp: content.Timestamp.Time}
		for _, option := range content.Options {
			for point, value := range option {
				value = oneLine(value, "")
				switch strings.ToLower(point) {
				case "exploitation":
					values.Exploitation = value
				case "automatable":
					values.Automatable = value
				case "technical impact":
					values.TechnicalImpact = value
				}
			}
		}
		if values.Exploitation != "" || values.Automatable != "" || values.TechnicalImpact != "" {
			return values
		}
	}
	return nil
}
