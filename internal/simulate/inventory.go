package simulate

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sync/errgroup"

	"patrol/internal/platform/db"
	"patrol/internal/risk"
	"patrol/internal/sbom"
)

// famous are packages that people ask for by name.
var famous = map[int]string{7: "org.apache.logging.log4j:log4j-core", 10: "openssl", 17: "org.springframework:spring-core", 25: "lodash"}

// shelves are the ecosystems that packages are of, by the last digit of their
// number.
var shelves = [10]struct{ ecosystem, name, purl string }{
	{"Debian:12", "lib", "deb/debian"},
	{"Debian:12", "tool", "deb/debian"},
	{"Debian:12", "data", "deb/debian"},
	{"Debian:12", "core", "deb/debian"},
	{"Debian:12", "python3", "deb/debian"},
	{"npm", "react", "npm"},
	{"npm", "util", "npm"},
	{"Maven", "com.example:server", "maven"},
	{"PyPI", "flask", "pypi"},
	{"Go", "example.com/module", "golang"},
}

// component returns a package at one of its versions, from 0.
func component(p, version int) sbom.Component {
	shelf := shelves[p%10]
	name := cmp.Or(famous[p], fmt.Sprintf("%s-%04d", shelf.name, p))
	c := sbom.Component{Ecosystem: shelf.ecosystem, Name: name, Version: fmt.Sprintf("1.%d.0", version), Locations: []string{"opt/" + name + "/package.json"}}
	c.PURL = fmt.Sprintf("pkg:%s/%s@%s", shelf.purl, strings.ReplaceAll(name, ":", "/"), c.Version)
	if shelf.ecosystem == "Debian:12" {
		c.Locations = []string{"var/lib/dpkg/status"}
	}
	return c
}

// id is that of the component's row.
func id(p, version int) int { return p*versions + version + 1 }

func (f Fleet) fillComponents(ctx context.Context, d *db.DB) error {
	rows := [][]any{}
	for p := range packages {
		for version := range versions {
			c := component(p, version)
			rows = append(rows, []any{id(p, version), c.Ecosystem, c.Name, c.Version, c.PURL})
		}
	}
	text, err := db.ToJSON(rows)
	if err != nil {
		return err
	}
	return execute(ctx, d, statement{`INSERT INTO component (id, ecosystem, name, version, source_name, source_version, purl)
		SELECT CAST(value->>0 AS BIGINT), value->>1, value->>2, value->>3, '', '', value->>4 FROM json_each($1) AS j`, []any{text}})
}

// fillVulnerabilities makes every fifth package vulnerable: one that stands
// everywhere twice, in three of four versions; another four times, once in each.
func (f Fleet) fillVulnerabilities(ctx context.Context, d *db.DB) error {
	var vulnerabilities, findings [][]any
	for p := 0; p < packages; p += 5 {
		count := versions
		if p < everywhere {
			count = 2
		}
		for i := range count {
			number := len(vulnerabilities) + 1
			severity := f.severity(number)
			kev, fixed := 0, "[]"
			if f.chance(uint64(number), 2)%100 == 0 {
				kev = 1
			}
			if f.chance(uint64(number), 3)%10 < 7 {
				fixed = `["1.9.0"]`
			}
			name := fmt.Sprintf("CVE-20%02d-9%05d", 15+number%12, number)
			vulnerabilities = append(vulnerabilities, []any{number, name, severity, severity.Rank(), float64(f.chance(uint64(number), 4)%1000) / 1000, kev})
			for version := range versions {
				if p < everywhere && (version+i)%4 == 3 || p >= everywhere && version != i {
					continue
				}
				c := component(p, version)
				base, _, _ := strings.Cut(c.Ecosystem, ":")
				findings = append(findings, []any{id(p, version), number, name, base, c.Name, fixed, severity, severity.Rank()})
			}
		}
	}
	known, err := db.ToJSON(vulnerabilities)
	if err != nil {
		return err
	}
	found, err := db.ToJSON(findings)
	if err != nil {
		return err
	}
	return execute(ctx, d,
		statement{`INSERT INTO vulnerability (id, name, aliases, summary, severity, rank, cvss, epss, kev)
			SELECT CAST(value->>0 AS BIGINT), value->>1, '[]', 'Made up, to see what a console bears', value->>2, CAST(value->>3 AS BIGINT), '[]',
				CAST(value->>4 AS DOUBLE PRECISION), CAST(value->>5 AS BIGINT) FROM json_each($1) AS j`, []any{known}},
		statement{`INSERT INTO finding (component_id, vulnerability_id, name, ecosystem, package, fixed, advisories, severity, rank)
			SELECT CAST(value->>0 AS BIGINT), CAST(value->>1 AS BIGINT), value->>2, value->>3, value->>4, value->>5, '[]', value->>6, CAST(value->>7 AS BIGINT)
			FROM json_each($1) AS j`, []any{found}})
}

// severity has about the shares that a real fleet has.
func (f Fleet) severity(vulnerability int) risk.Severity {
	switch n := f.chance(uint64(vulnerability), 1) % 1000; {
	case n < 1:
		return risk.Malicious
	case n < 80:
		return risk.Critical
	case n < 350:
		return risk.High
	case n < 750:
		return risk.Medium
	case n < 900:
		return risk.Low
	}
	return risk.Unknown
}

// inventory is one of the distinct ones, as it goes into the database.
type inventory struct {
	components, digest, ecosystems, document string
	packed                                   []byte
}

// perBatch is how many inventories are made and written at once.
const perBatch = 100

func (f Fleet) fillInventories(ctx context.Context, d *db.DB) error {
	for first := 0; first < f.Inventories; first += perBatch {
		batch := make([]inventory, min(perBatch, f.Inventories-first))
		var makers errgroup.Group
		makers.SetLimit(2)
		for half := range 2 {
			makers.Go(func() (err error) {
				for i := half; i < len(batch) && err == nil; i += 2 {
					batch[i], err = f.inventory(first + i)
				}
				return err
			})
		}
		if err := makers.Wait(); err != nil {
			return err
		}
		var statements []statement
		for i, v := range batch {
			id := first + i + 1
			statements = append(statements,
				statement{`INSERT INTO inventory (id, digest, ecosystems, components) VALUES ($1, $2, $3, $4)`, []any{id, v.digest, v.ecosystems, components}},
				statement{`INSERT INTO sbom (id, digest, inventory_id, created_at, document) VALUES ($1, $2, $1, $3, $4)`, []any{id, v.document, f.Now.UnixMicro(), v.packed}},
				statement{`INSERT INTO inventory_component (inventory_id, component_id)
					SELECT CAST($2 AS BIGINT), CAST(value->>0 AS BIGINT) FROM json_each($1) AS j`, []any{v.components, id}},
				statement{`INSERT INTO result (id, digest, uncovered, unread) VALUES ($1, $2, '[]', '[]')`, []any{id, "sha256:result of " + v.digest}})
		}
		if err := execute(ctx, d, statements...); err != nil {
			return err
		}
	}
	return execute(ctx, d, statement{text: `INSERT INTO result_finding (result_id, finding_id)
		SELECT i.inventory_id, f.id FROM inventory_component AS i JOIN finding AS f ON f.component_id = i.component_id ORDER BY 1, 2`})
}

// Document is an SBOM with one of the distinct inventories, by number from 0.
func (f Fleet) Document(number int) *sbom.Document {
	doc, _ := f.document(number)
	return doc
}

// document also returns the ids of the components' rows, in order.
func (f Fleet) document(number int) (doc *sbom.Document, ids []int) {
	doc = &sbom.Document{Distribution: sbom.Distribution{ID: "debian", Version: "12", Name: "Debian GNU/Linux 12"}}
	ids = make([]int, components)
	for k := range components {
		p := k
		if k >= everywhere {
			p = everywhere + (k-everywhere)*group + int(f.chance(uint64(number), uint64(k), 1)%group)
		}
		version := int(f.chance(uint64(number), uint64(k), 2) % versions)
		ids[k] = id(p, version)
		doc.Components = append(doc.Components, component(p, version))
	}
	slices.Sort(ids)
	doc.Normalize()
	return doc, ids
}

// inventory makes one of the distinct ones, with a document that has it.
func (f Fleet) inventory(number int) (v inventory, err error) {
	doc, ids := f.document(number)
	encoded, err := doc.Encode()
	if err != nil {
		return v, err
	}
	keys := doc.Inventory()
	v.document, v.digest = sbom.Digest(encoded), sbom.InventoryDigest(keys)
	if v.components, err = db.Column(ids); err != nil {
		return v, err
	}
	if v.ecosystems, err = db.ToJSON(sbom.Ecosystems(keys)); err != nil {
		return v, err
	}
	pack, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		return v, err
	}
	v.packed = pack.EncodeAll(encoded, nil)
	return v, pack.Close()
}
