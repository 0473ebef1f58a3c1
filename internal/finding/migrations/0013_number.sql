-- Of what it costs to open an occurrence, the index by node and place was most: its
-- keys had the node's id and the package's names, 85 bytes where numbers are a dozen.
CREATE TABLE node_number (
	number  BIGKEY,
	node_id TEXT NOT NULL UNIQUE
);
CREATE TABLE package_number (
	number    BIGKEY,
	package   TEXT NOT NULL,
	ecosystem TEXT NOT NULL, -- without its release
	UNIQUE (package, ecosystem)
);
INSERT INTO node_number (node_id) SELECT node_id FROM occurrence UNION SELECT node_id FROM node_result ORDER BY 1;
INSERT INTO package_number (package, ecosystem) SELECT package, ecosystem FROM occurrence UNION SELECT package, ecosystem FROM finding ORDER BY 1, 2;

DROP INDEX occurrence_open;
DROP INDEX occurrence_history;
ALTER TABLE occurrence ADD COLUMN node_number BIGINT NOT NULL DEFAULT 0;
ALTER TABLE occurrence ADD COLUMN package_number BIGINT NOT NULL DEFAULT 0;
UPDATE occurrence SET node_number = n.number, package_number = p.number FROM node_number AS n, package_number AS p
	WHERE n.node_id = occurrence.node_id AND p.package = occurrence.package AND p.ecosystem = occurrence.ecosystem;
CREATE UNIQUE INDEX occurrence_open ON occurrence (node_number, vulnerability_id, package_number) WHERE resolved_at IS NULL;
CREATE INDEX occurrence_history ON occurrence (node_number, opened_at, id) WHERE resolved_at IS NOT NULL;
