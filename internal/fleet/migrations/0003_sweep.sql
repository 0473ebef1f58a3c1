-- Who needs a document or an inventory is asked when those that nobody does are
-- swept.
CREATE INDEX node_sbom ON node (sbom_id);
CREATE INDEX sbom_inventory ON sbom (inventory_id);
