-- Most of what taking in a new SBOM costs is the indexes of its components. The
-- names that components have lead to them through the one index that keeps them
-- unique; and a table that is its key alone needs no rows beside.
DROP INDEX component_lower;
DROP INDEX component_version;
DROP TABLE component_name;
CREATE TABLE component_name (
	folded    TEXT NOT NULL, -- in lower case
	ecosystem TEXT NOT NULL,
	name      TEXT NOT NULL,
	PRIMARY KEY (folded, ecosystem, name)
) CLUSTERED;
INSERT INTO component_name (folded, ecosystem, name) SELECT DISTINCT lower(name), ecosystem, name FROM component;

CREATE TABLE compact (
	inventory_id BIGINT NOT NULL, -- who writes rows has looked for both
	component_id BIGINT NOT NULL,
	PRIMARY KEY (inventory_id, component_id)
) CLUSTERED;
INSERT INTO compact (inventory_id, component_id) SELECT inventory_id, component_id FROM inventory_component ORDER BY inventory_id, component_id;
DROP TABLE inventory_component;
ALTER TABLE compact RENAME TO inventory_component;

-- Which inventories hold a component, of those that few hold. What is common is
-- found on the next nodes, and an index of it would be most of what an SBOM costs.
-- A component that has become common stays so.
ALTER TABLE component ADD COLUMN common BIGINT NOT NULL DEFAULT 0;
CREATE TABLE component_inventory (
	component_id BIGINT NOT NULL,
	inventory_id BIGINT NOT NULL,
	PRIMARY KEY (component_id, inventory_id)
) CLUSTERED;
UPDATE component SET common = 1 WHERE id IN (SELECT component_id FROM inventory_component GROUP BY component_id HAVING count(*) > 64);
INSERT INTO component_inventory (component_id, inventory_id)
	SELECT i.component_id, i.inventory_id FROM inventory_component AS i JOIN component AS c ON c.id = i.component_id WHERE c.common = 0 ORDER BY 1, 2;
-- Who walks over all nodes to see what they have reads nothing else of them.
CREATE INDEX node_installed ON node (id, inventory_id, name, kind);
