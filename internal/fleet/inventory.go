package fleet

import (
	"context"
	"errors"
	"fmt"
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
	return s.db.Write(ctx, func(tx *db.Tx) error {
		inventory, err := s.keepInventory(ctx, tx, doc)
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

func (s *Service) keepInventory(ctx context.Context, tx *db.Tx, doc *sbom.Document) (int64, error) {
	keys := doc.Inventory()
	digest := sbom.InventoryDigest(keys)
	var id int64
	row := tx.QueryRowContext(ctx, `SELECT id FROM inventory WHERE digest = $1`, digest)
	id, err := db.One(row, func(scan db.Scan) (id int64, err error) { return id, scan(&id) })
	if !errors.Is(err, db.ErrNotFound) {
		return id, err
	}
	ecosystems, err := db.ToJSON(sbom.Ecosystems(keys))
	if err != nil {
		return 0, err
	}
	err = tx.QueryRowContext(ctx, `INSERT INTO inventory (digest, ecosystems, components) VALUES ($1, $2, $3) RETURNING id`,
		digest, ecosystems, len(keys)).Scan(&id)
	if err != nil {
		return 0, err
	}
	return id, s.keepComponents(ctx, tx, id, doc)
}

// Installed notes that this is what the node has now. Of a container or an image
// it is also what tells the distribution.
func (s *Service) Installed(ctx context.Context, tx *db.Tx, node string, b SBOM) error {
	_, err := tx.ExecContext(ctx, `UPDATE node SET sbom_id = b.id, distribution = CASE WHEN node.host_id IS NULL THEN node.distribution ELSE b.distribution END
		FROM sbom AS b WHERE node.id = $1 AND b.id = $2`, node, b.ID)
	if err != nil {
		return fmt.Errorf("note what is installed on node %s: %w", node, err)
	}
	return nil
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
