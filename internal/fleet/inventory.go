package fleet

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/klauspost/compress/zstd"

	"patrol/internal/platform/db"
	"patrol/internal/platform/problem"
	"patrol/internal/sbom"
	"patrol/internal/wire"
)

// Inventory is what matters of a document to matching.
type Inventory struct {
	ID         int64
	Digest     string
	Ecosystems []string
}

// SBOM is a document that the console has.
type SBOM struct {
	ID        int64
	Digest    string
	Inventory Inventory
}

// Lookup returns the document of that digest; false if the console lacks it.
func (s *Service) Lookup(ctx context.Context, digest string) (SBOM, bool, error) {
	row := s.db.Read().QueryRowContext(ctx, `SELECT b.id, b.digest, i.id, i.digest, i.ecosystems
		FROM sbom AS b JOIN inventory AS i ON i.id = b.inventory_id WHERE b.digest = $1`, digest)
	found, err := db.One(row, func(scan db.Scan) (b SBOM, err error) {
		return b, scan(&b.ID, &b.Digest, &b.Inventory.ID, &b.Inventory.Digest, db.JSON{Into: &b.Inventory.Ecosystems})
	})
	if errors.Is(err, db.ErrNotFound) {
		return SBOM{}, false, nil
	}
	return found, err == nil, err
}

// Put keeps a document under the digest that its sender announced, and refuses
// one whose bytes have another. Keeping it twice changes nothing.
func (s *Service) Put(ctx context.Context, digest string, encoded []byte) error {
	if have := sbom.Digest(encoded); have != digest {
		return problem.Invalid("digest", "the document's bytes have the digest %s, not %s", have, digest)
	}
	doc, err := sbom.Decode(encoded)
	if err != nil {
		return problem.Invalid("document", "%v", err)
	}
	packed := s.packer.EncodeAll(encoded, nil)
	distribution, err := db.ToJSON(doc.Distribution)
	if err != nil {
		return err
	}
	content, err := contentOf(doc)
	if err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		inventory, err := s.keepInventory(ctx, tx, content)
		if err != nil {
			return fmt.Errorf("keep inventory: %w", err)
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO sbom (digest, inventory_id, created_at, document, distribution) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (digest) DO NOTHING`,
			digest, inventory, s.now().UnixMicro(), packed, distribution)
		if err != nil {
			return fmt.Errorf("keep SBOM %s: %w", digest, err)
		}
		return nil
	})
}

// content is what an inventory is made of; it is worked out before the transaction,
// for which others wait.
type content struct {
	digest     string
	size       int    // distinct keys
	ecosystems string // JSON
	components []sbom.Component
	names      [][16]byte // digests of the components' keys
}

func contentOf(doc *sbom.Document) (c content, err error) {
	keys := doc.Inventory()
	c.digest, c.size, c.components = sbom.InventoryDigest(keys), len(keys), distinct(doc.Components)
	c.names = make([][16]byte, len(c.components))
	for i, component := range c.components {
		c.names[i] = digestOf(component)
	}
	c.ecosystems, err = db.ToJSON(sbom.Ecosystems(keys))
	return c, err
}

func (s *Service) keepInventory(ctx context.Context, tx *db.Tx, c content) (int64, error) {
	row := tx.QueryRowContext(ctx, `SELECT id FROM inventory WHERE digest = $1`, c.digest)
	id, err := db.One(row, db.Value[int64])
	if !errors.Is(err, db.ErrNotFound) {
		return id, err
	}
	err = tx.QueryRowContext(ctx, `INSERT INTO inventory (digest, ecosystems, components) VALUES ($1, $2, $3) RETURNING id`,
		c.digest, c.ecosystems, c.size).Scan(&id)
	if err != nil {
		return 0, err
	}
	return id, s.keepComponents(ctx, tx, id, c)
}

// Installed notes that this is what the node has now, and since when: but for the
// unseen, which may be there still although nobody could look, what it lacks is gone.
// Of what has no agent of its own it is also what tells the distribution.
func (s *Service) Installed(ctx context.Context, tx *db.Tx, node string, b SBOM, unseen ...sbom.Key) error {
	row := tx.QueryRowContext(ctx, `SELECT COALESCE(inventory_id, 0) FROM node WHERE id = $1`, node)
	before, err := db.One(row, db.Value[int64])
	if err != nil {
		return fmt.Errorf("read what is installed on node %s: %w", node, err)
	}
	if before != b.Inventory.ID {
		if err := recount(ctx, tx, before, b.Inventory.ID); err != nil {
			return fmt.Errorf("count who has the components of node %s: %w", node, err)
		}
		if err := s.replaced(ctx, tx, node, before, b.Inventory.ID, unseen); err != nil {
			return fmt.Errorf("note since when node %s has its components: %w", node, err)
		}
	}
	_, err = tx.ExecContext(ctx, `UPDATE node SET sbom_id = b.id, inventory_id = b.inventory_id, inventory_since = COALESCE(node.inventory_since, $3),
			distribution = CASE WHEN node.host_id IS NULL AND node.uploaded = 0 THEN node.distribution ELSE b.distribution END
		FROM sbom AS b WHERE node.id = $1 AND b.id = $2`, node, b.ID, s.now().UnixMicro())
	if err != nil {
		return fmt.Errorf("note what is installed on node %s: %w", node, err)
	}
	return nil
}

// Uninstalled takes a node, which is being retired, out of the numbers of nodes that
// have a component, and forgets since when it had them.
func (s *Service) Uninstalled(ctx context.Context, tx *db.Tx, node string) error {
	row := tx.QueryRowContext(ctx, `SELECT COALESCE(inventory_id, 0) FROM node WHERE id = $1`, node)
	before, err := db.One(row, db.Value[int64])
	if err == nil {
		err = recount(ctx, tx, before, 0)
	}
	if err == nil {
		_, err = tx.ExecContext(ctx, `DELETE FROM node_component WHERE node_id = $1`, node)
	}
	if err == nil {
		_, err = tx.ExecContext(ctx, `UPDATE node SET sbom_id = NULL, inventory_id = NULL, inventory_since = NULL WHERE id = $1`, node)
	}
	if err != nil {
		return fmt.Errorf("uncount the components of node %s: %w", node, err)
	}
	return nil
}

// recount counts a node that goes from one inventory to another, zero being none:
// only what differs between them is written.
func recount(ctx context.Context, tx *db.Tx, before, after int64) error {
	const change = `UPDATE component SET nodes = nodes %s 1 WHERE id IN (
		SELECT component_id FROM inventory_component WHERE inventory_id = $1
		EXCEPT SELECT component_id FROM inventory_component WHERE inventory_id = $2)`
	if _, err := tx.ExecContext(ctx, fmt.Sprintf(change, "-"), before, after); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, fmt.Sprintf(change, "+"), after, before)
	return err
}

// Document returns a document that the console has.
func (s *Service) Document(ctx context.Context, digest string) (*sbom.Document, error) {
	row := s.db.Read().QueryRowContext(ctx, `SELECT document FROM sbom WHERE digest = $1`, digest)
	packed, err := db.One(row, func(scan db.Scan) (b []byte, err error) { return b, scan(&b) })
	if errors.Is(err, db.ErrNotFound) {
		return nil, problem.NotFound("SBOM", digest)
	}
	if err != nil {
		return nil, err
	}
	encoded, err := unpack(packed)
	if err != nil {
		return nil, fmt.Errorf("read SBOM %s: %w", digest, err)
	}
	return sbom.Decode(encoded)
}

// Locations returns where components stand, by document and key: a page of a list
// may name as many documents as it has lines.
func (s *Service) Locations(ctx context.Context, wanted map[string][]sbom.Key) (map[string]map[sbom.Key][]string, error) {
	list, err := db.Column(slices.Collect(maps.Keys(wanted)))
	if err != nil {
		return nil, err
	}
	r, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(wire.DocumentLimit))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	rows, err := s.db.Read().QueryContext(ctx, `SELECT digest, document FROM sbom WHERE digest `+db.Among(`$1`), list)
	if err != nil {
		return nil, fmt.Errorf("read SBOMs: %w", err)
	}
	found := make(map[string]map[sbom.Key][]string)
	var encoded []byte
	return found, db.Each(rows, func(scan db.Scan) error {
		var digest string
		var packed sql.RawBytes
		if err := scan(&digest, &packed); err != nil {
			return err
		}
		if encoded, err = r.DecodeAll(packed, encoded[:0]); err != nil {
			return fmt.Errorf("read SBOM %s: %w", digest, err)
		}
		if found[digest], err = sbom.Locations(encoded, wanted[digest]); err != nil {
			return fmt.Errorf("read SBOM %s: %w", digest, err)
		}
		return nil
	})
}

// Ecosystems returns every ecosystem that is installed somewhere, sorted.
func (s *Service) Ecosystems(ctx context.Context) ([]string, error) {
	rows, err := s.db.Read().QueryContext(ctx, `SELECT DISTINCT i.ecosystems FROM node AS n
		JOIN sbom AS b ON b.id = n.sbom_id JOIN inventory AS i ON i.id = b.inventory_id WHERE n.retired_at IS NULL`)
	lists, err := db.All(rows, err, func(scan db.Scan) (names []string, err error) { return names, scan(db.JSON{Into: &names}) })
	if err != nil {
		return nil, err
	}
	names := append([]string{}, slices.Concat(lists...)...)
	slices.Sort(names)
	return slices.Compact(names), nil
}

func unpack(packed []byte) ([]byte, error) {
	r, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(wire.DocumentLimit))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return r.DecodeAll(packed, nil)
}
