package fleet

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"sync"

	"patrol/internal/platform/db"
	"patrol/internal/sbom"
)

// keepComponents writes an inventory's components, each list as one JSON
// parameter. Machines differ little: most components are known, and their ids are
// remembered.
func (s *Service) keepComponents(ctx context.Context, tx *db.Tx, inventory int64, doc *sbom.Document) error {
	components := distinct(doc.Components)
	ids, unknown := s.components.find(components)
	if len(unknown) > 0 {
		found, inOrder, err := insertComponents(ctx, tx, unknown)
		if err != nil {
			return err
		}
		ids = append(ids, found...)
		if inOrder { // else they were new to everybody, and may be on no other machine
			tx.AfterCommit(func() { s.components.add(unknown, found) })
		}
	}
	kept, err := relate(ctx, tx, inventory, ids)
	if err != nil || kept == len(ids) {
		return err
	}
	// Somebody has deleted components that are remembered here.
	s.components.clear()
	ids, _, err = insertComponents(ctx, tx, components)
	if err != nil {
		return err
	}
	_, err = relate(ctx, tx, inventory, ids)
	return err
}

// distinct returns the first component of each key. They are in order.
func distinct(components []sbom.Component) []sbom.Component {
	return slices.CompactFunc(slices.Clone(components), func(a, b sbom.Component) bool { return a.Key() == b.Key() })
}

// insertComponents writes those that are not there, and returns the ids of all; in
// the order of the list unless all are new.
func insertComponents(ctx context.Context, tx *db.Tx, components []sbom.Component) (ids []int64, inOrder bool, err error) {
	list := make([][7]string, len(components))
	for i, c := range components {
		list[i] = [7]string{c.Ecosystem, c.Name, c.Version, c.Source.Name, c.Source.Version, c.PURL, fold(c.Name)}
	}
	text, err := db.ToJSON(list)
	if err != nil {
		return nil, false, err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO component_name (name, ecosystem)
		SELECT DISTINCT value->>6, value->>0 FROM json_each($1) AS j WHERE TRUE ON CONFLICT (name, ecosystem) DO NOTHING`, text)
	if err != nil {
		return nil, false, err
	}
	readID := func(scan db.Scan) (id int64, err error) { return id, scan(&id) }
	rows, err := tx.QueryContext(ctx, `INSERT INTO component (ecosystem, name, version, source_name, source_version, purl)
		SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5 FROM json_each($1) AS j WHERE TRUE
		ON CONFLICT (ecosystem, name, version, source_name, source_version) DO NOTHING RETURNING id`, text)
	if ids, err = db.All(rows, err, readID); err != nil || len(ids) == len(components) {
		return ids, false, err
	}
	rows, err = tx.QueryContext(ctx, `SELECT c.id FROM json_each($1) AS j JOIN component AS c
		  ON c.ecosystem = value->>0 AND c.name = value->>1 AND c.version = value->>2 AND c.source_name = value->>3 AND c.source_version = value->>4
		ORDER BY j.key`, text)
	ids, err = db.All(rows, err, readID)
	if err == nil && len(ids) != len(components) {
		err = fmt.Errorf("%d of %d components were kept", len(ids), len(components))
	}
	return ids, true, err
}

// relate says that an inventory has the components of these ids, as far as they
// are there, and returns how many are.
func relate(ctx context.Context, tx *db.Tx, inventory int64, ids []int64) (int, error) {
	slices.Sort(ids)
	list, err := db.Column(ids)
	if err != nil {
		return 0, err
	}
	result, err := tx.ExecContext(ctx, `INSERT INTO inventory_component (inventory_id, component_id)
		SELECT CAST($2 AS BIGINT), c.id FROM json_each($1) AS j JOIN component AS c ON c.id = CAST(value->>0 AS BIGINT)
		WHERE TRUE ON CONFLICT DO NOTHING`, list, inventory)
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	return int(n), err
}

// cacheSize is how many components are remembered, at some 60 bytes each.
const cacheSize = 200_000

// cache remembers ids of components that were committed, by a digest of their keys.
type cache struct {
	mu  sync.Mutex
	ids map[[16]byte]int64
}

// find returns the ids of the components that are remembered, and the others.
func (c *cache) find(components []sbom.Component) (ids []int64, unknown []sbom.Component) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ids = make([]int64, 0, len(components))
	for _, component := range components {
		if id, ok := c.ids[digestOf(component)]; ok {
			ids = append(ids, id)
		} else {
			unknown = append(unknown, component)
		}
	}
	return ids, unknown
}

func (c *cache) add(components []sbom.Component, ids []int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ids == nil || len(c.ids)+len(ids) > cacheSize {
		c.ids = make(map[[16]byte]int64) // what is common comes again soon
	}
	for i, component := range components {
		c.ids[digestOf(component)] = ids[i]
	}
}

func (c *cache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ids = nil
}

// digestOf names a component's key: of two keys with one digest nobody knows.
func digestOf(c sbom.Component) (short [16]byte) {
	sum := sha256.Sum256(sbom.AppendKey(nil, c.Key()))
	copy(short[:], sum[:])
	return short
}
