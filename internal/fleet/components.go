package fleet

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"patrol/internal/platform/db"
	"patrol/internal/sbom"
)

// keepComponents writes an inventory's components, each list as one JSON
// parameter. Machines differ little: most components are known, and their ids are
// remembered.
func (s *Service) keepComponents(ctx context.Context, tx *db.Tx, inventory int64, c content) error {
	known, unknown := s.components.find(c)
	var fresh []int64
	if len(unknown) > 0 {
		found, allNew, err := s.insertComponents(ctx, tx, unknown)
		if err != nil {
			return err
		}
		if allNew { // and may be on no other machine
			fresh = found
		} else {
			known = append(known, found...)
			tx.AfterCommit(func() { s.components.add(unknown, found) })
		}
	}
	kept, err := relate(ctx, tx, inventory, slices.Concat(known, fresh))
	if err != nil {
		return err
	}
	if kept < len(c.components) {
		// Somebody has deleted components that are remembered here.
		s.components.clear()
		if known, _, err = s.insertComponents(ctx, tx, c.components); err != nil {
			return err
		}
		fresh = nil
		if _, err = relate(ctx, tx, inventory, known); err != nil {
			return err
		}
	}
	return s.pointBack(ctx, tx, inventory, known, fresh)
}

// distinct returns the first component of each key. They are in order.
func distinct(components []sbom.Component) []sbom.Component {
	return slices.CompactFunc(slices.Clone(components), func(a, b sbom.Component) bool { return a.Key() == b.Key() })
}

// insertComponents writes those that are not there, and returns the ids of all: in
// the order of the list, unless all are new.
func (s *Service) insertComponents(ctx context.Context, tx *db.Tx, components []sbom.Component) (ids []int64, allNew bool, err error) {
	if err := s.insertNames(ctx, tx, components); err != nil {
		return nil, false, err
	}
	if ids, err = insertNew(ctx, tx, components); err != nil || len(ids) == len(components) {
		return ids, true, err
	}
	list := make([][5]string, len(components))
	for i, c := range components {
		list[i] = [5]string{c.Ecosystem, c.Name, c.Version, c.Source.Name, c.Source.Version}
	}
	text, err := db.ToJSON(list)
	if err != nil {
		return nil, false, err
	}
	rows, err := tx.QueryContext(ctx, `SELECT c.id FROM json_each($1) AS j JOIN component AS c
		  ON c.ecosystem = value->>0 AND c.name = value->>1 AND c.version = value->>2 AND c.source_name = value->>3 AND c.source_version = value->>4
		ORDER BY j.key`, text)
	ids, err = db.All(rows, err, db.Value[int64])
	if err == nil && len(ids) != len(components) {
		err = fmt.Errorf("%d of %d components were kept", len(ids), len(components))
	}
	return ids, false, err
}

// atOnce is how many components one statement inserts. All are alike, so that it is
// prepared once; and a component is the one thing of which so many come that taking
// them out of JSON again would be a quarter of the work.
const atOnce = 20

// insertNew writes those that are not there, and returns their ids.
func insertNew(ctx context.Context, tx *db.Tx, components []sbom.Component) (ids []int64, err error) {
	insert, err := tx.PrepareContext(ctx, insertStatement())
	if err != nil {
		return nil, fmt.Errorf("prepare to insert components: %w", err)
	}
	defer func() { err = errors.Join(err, insert.Close()) }()
	values := make([]any, 0, 6*atOnce)
	for len(components) > 0 {
		values = values[:0]
		for i := range atOnce {
			c := components[min(i, len(components)-1)] // the last one again does nothing
			values = append(values, c.Ecosystem, c.Name, c.Version, c.Source.Name, c.Source.Version, c.PURL)
		}
		rows, err := insert.QueryContext(ctx, values...)
		inserted, err := db.All(rows, err, db.Value[int64])
		if err != nil {
			return nil, err
		}
		ids, components = append(ids, inserted...), components[min(atOnce, len(components)):]
	}
	return ids, nil
}

func insertStatement() string {
	var rows []string
	for i := range atOnce {
		rows = append(rows, fmt.Sprintf("($%d, $%d, $%d, $%d, $%d, $%d)", 6*i+1, 6*i+2, 6*i+3, 6*i+4, 6*i+5, 6*i+6))
	}
	return `INSERT INTO component (ecosystem, name, version, source_name, source_version, purl) VALUES ` + strings.Join(rows, ", ") + `
		ON CONFLICT (ecosystem, name, version, source_name, source_version) DO NOTHING RETURNING id`
}

// insertNames writes the names of components, most of which have come before with
// another version.
func (s *Service) insertNames(ctx context.Context, tx *db.Tx, components []sbom.Component) error {
	unknown := s.components.unknownNames(components)
	if len(unknown) == 0 {
		return nil
	}
	list := make([][3]string, len(unknown))
	for i, n := range unknown {
		list[i] = [3]string{fold(n.name), n.ecosystem, n.name}
	}
	text, err := db.ToJSON(list)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO component_name (folded, ecosystem, name)
		SELECT value->>0, value->>1, value->>2 FROM json_each($1) AS j WHERE TRUE ON CONFLICT (folded, ecosystem, name) DO NOTHING`, text)
	tx.AfterCommit(func() { s.components.addNames(unknown) })
	return err
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

// Common is how many inventories hold a component that is no longer looked for
// through them. Half of what a new inventory costs would be pages of an index to
// what all others hold, too; and what many nodes have is soon found on the next: a
// page of 50 on the next 8,000 of 10,000 nodes that have as many inventories, at worst.
const Common = 64

// pointBack notes with its rare components that an inventory holds them. Fresh ones
// are in no other.
func (s *Service) pointBack(ctx context.Context, tx *db.Tx, inventory int64, known, fresh []int64) error {
	rare, crowded, err := s.rare(ctx, tx, known)
	if err != nil {
		return fmt.Errorf("find rare components: %w", err)
	}
	list, err := db.Column(append(rare, fresh...))
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO component_inventory (component_id, inventory_id)
		SELECT CAST(value->>0 AS BIGINT), CAST($2 AS BIGINT) FROM json_each($1) AS j WHERE TRUE ON CONFLICT DO NOTHING`, list, inventory)
	if err != nil || len(crowded) == 0 {
		return err
	}
	if list, err = db.Column(crowded); err != nil {
		return err
	}
	for _, statement := range []string{`UPDATE component SET common = 1 WHERE id ` + db.AmongIDs, `DELETE FROM component_inventory WHERE component_id ` + db.AmongIDs} {
		if _, err := tx.ExecContext(ctx, statement, list); err != nil {
			return fmt.Errorf("note which components are common: %w", err)
		}
	}
	return nil
}

// rare returns those of the components that are not common, and apart from them
// those that become so by one more inventory.
func (s *Service) rare(ctx context.Context, tx *db.Tx, ids []int64) (rare, crowded []int64, err error) {
	list, err := db.Column(s.components.perhapsRare(ids))
	if err != nil {
		return nil, nil, err
	}
	rows, err := tx.QueryContext(ctx, `SELECT c.id, c.common, CASE c.common WHEN 0 THEN (SELECT count(*) FROM component_inventory WHERE component_id = c.id) ELSE 0 END
		FROM json_each($1) AS j JOIN component AS c ON c.id = CAST(value->>0 AS BIGINT)`, list)
	if err != nil {
		return nil, nil, err
	}
	var found []int64
	err = db.Each(rows, func(scan db.Scan) error {
		var id, isCommon, inventories int64
		err := scan(&id, &isCommon, &inventories)
		switch {
		case isCommon == 1:
			found = append(found, id)
		case inventories >= Common:
			crowded = append(crowded, id)
		default:
			rare = append(rare, id)
		}
		return err
	})
	tx.AfterCommit(func() { s.components.addCommon(append(found, crowded...)) })
	return rare, crowded, err
}

// cacheSize is how many components are remembered, at some 60 bytes each.
const cacheSize = 200_000

// cache remembers what was committed: ids of components, by a digest of their keys,
// which of them are common, and names.
type cache struct {
	mu     sync.Mutex
	ids    map[[16]byte]int64
	common map[int64]struct{}
	names  map[componentName]struct{}
}

type componentName struct{ ecosystem, name string }

// unknownNames returns the distinct names that are not remembered.
func (c *cache) unknownNames(components []sbom.Component) (unknown []componentName) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var last componentName // components are in the order of their names
	for _, component := range components {
		name := componentName{component.Ecosystem, component.Name}
		if _, known := c.names[name]; !known && name != last {
			unknown = append(unknown, name)
		}
		last = name
	}
	return unknown
}

func (c *cache) addNames(names []componentName) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.names == nil || len(c.names)+len(names) > cacheSize/4 {
		c.names = make(map[componentName]struct{})
	}
	for _, name := range names {
		c.names[name] = struct{}{}
	}
}

// perhapsRare returns the ids of those that are not known to be common.
func (c *cache) perhapsRare(ids []int64) []int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(ids), func(id int64) bool { _, ok := c.common[id]; return ok })
}

func (c *cache) addCommon(ids []int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.common == nil || len(c.common)+len(ids) > cacheSize {
		c.common = make(map[int64]struct{})
	}
	for _, id := range ids {
		c.common[id] = struct{}{}
	}
}

// find returns the ids of the components that are remembered, and the others.
func (c *cache) find(wanted content) (ids []int64, unknown []sbom.Component) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ids = make([]int64, 0, len(wanted.components))
	for i, component := range wanted.components {
		if id, ok := c.ids[wanted.names[i]]; ok {
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
	c.ids, c.common, c.names = nil, nil, nil
}

// digestOf names a component's key: of two keys with one digest nobody knows.
func digestOf(c sbom.Component) (short [16]byte) {
	sum := sha256.Sum256(sbom.AppendKey(nil, c.Key()))
	copy(short[:], sum[:])
	return short
}
