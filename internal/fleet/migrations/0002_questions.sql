-- Labels as lists filter by them. Those of a node are written with its next
-- heartbeat if they differ from what it says.
CREATE TABLE node_label (
	node_id TEXT NOT NULL REFERENCES node (id) ON DELETE CASCADE,
	key     TEXT NOT NULL,
	value   TEXT NOT NULL,
	PRIMARY KEY (node_id, key)
);
CREATE INDEX node_label_value ON node_label (key, value, node_id);
CREATE INDEX node_name ON node (name, id);

-- Where a component is: the inventory that a node has now, and how many nodes have
-- the component.
ALTER TABLE node ADD COLUMN inventory_id BIGINT REFERENCES inventory (id);
UPDATE node SET inventory_id = b.inventory_id FROM sbom AS b WHERE b.id = node.sbom_id;
CREATE INDEX node_inventory ON node (inventory_id, id);
ALTER TABLE component ADD COLUMN nodes BIGINT NOT NULL DEFAULT 0;
UPDATE component SET nodes = c.nodes FROM (SELECT i.component_id AS id, count(*) AS nodes FROM node AS n
	JOIN inventory_component AS i ON i.inventory_id = n.inventory_id GROUP BY i.component_id) AS c WHERE c.id = component.id;

-- The names that components have, to be searched for a part of one: far fewer than
-- components. In lower case.
CREATE TABLE component_name (
	name      TEXT NOT NULL,
	ecosystem TEXT NOT NULL,
	PRIMARY KEY (name, ecosystem)
);
INSERT INTO component_name (name, ecosystem) SELECT DISTINCT lower(name), ecosystem FROM component;
CREATE INDEX component_lower ON component (lower(name), ecosystem, id);
CREATE INDEX component_version ON component (version, lower(name), ecosystem, id);
