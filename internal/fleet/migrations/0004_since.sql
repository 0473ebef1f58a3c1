-- Since when a node has what is installed on it. Of its first known inventory that is
-- one moment; NULL while there is none. A console of before did not keep it: there it
-- is when the node's document came, and not before the node was first seen or came
-- back, since a document may have come from another node that has the same. What was
-- installed earlier than its document came is said to be younger than it is.
ALTER TABLE node ADD COLUMN inventory_since BIGINT;
UPDATE node SET inventory_since = b.created_at FROM sbom AS b WHERE b.id = node.sbom_id;
UPDATE node SET inventory_since = first_seen WHERE inventory_since < first_seen;
UPDATE node SET inventory_since = revived_at WHERE inventory_since < revived_at;

-- Components that came to a node after its first inventory; of the others there is no
-- row.
CREATE TABLE node_component (
	node_id      TEXT   NOT NULL REFERENCES node (id) ON DELETE CASCADE,
	component_id BIGINT NOT NULL, -- who writes rows has it from an inventory
	since        BIGINT NOT NULL,
	PRIMARY KEY (node_id, component_id)
) CLUSTERED;
