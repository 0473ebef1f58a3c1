-- Lists answer from one index each. What they filter by stands in the row itself,
-- and an index holds what is asked to be equal, then the order of the list: newest
-- first.
ALTER TABLE occurrence ADD COLUMN state TEXT NOT NULL DEFAULT 'open'; -- open, decided, resolved
ALTER TABLE occurrence ADD COLUMN decision_id TEXT; -- why it is decided
ALTER TABLE occurrence ADD COLUMN kev BIGINT NOT NULL DEFAULT 0; -- 1 if CISA lists it as exploited
ALTER TABLE occurrence ADD COLUMN fixable BIGINT NOT NULL DEFAULT 0; -- 1 if some version is known to fix it
UPDATE occurrence SET state = 'resolved' WHERE resolved_at IS NOT NULL;
UPDATE occurrence SET kev = 1 FROM vulnerability AS v WHERE v.id = occurrence.vulnerability_id AND v.kev = 1;
UPDATE occurrence SET fixable = 1 WHERE EXISTS (SELECT 1 FROM finding AS f WHERE f.vulnerability_id = occurrence.vulnerability_id
	AND f.ecosystem = occurrence.ecosystem AND f.package = occurrence.package AND f.fixed <> '[]');
DROP INDEX occurrence_node;
DROP INDEX occurrence_vulnerability;
CREATE INDEX occurrence_fleet ON occurrence (state, rank, kev, fixable, opened_at, id);
CREATE INDEX occurrence_node ON occurrence (node_id, state, rank, kev, fixable, opened_at, id);
CREATE INDEX occurrence_vulnerability ON occurrence (vulnerability_id, state, rank, kev, fixable, opened_at, id, package);
CREATE INDEX occurrence_package ON occurrence (package, state, rank, kev, fixable, opened_at, id);

-- Numbers of occurrences that are not resolved, kept by whatever changes those,
-- in the same transaction.
CREATE TABLE node_count (
	node_id  TEXT   NOT NULL,
	severity TEXT   NOT NULL,
	open     BIGINT NOT NULL,
	decided  BIGINT NOT NULL,
	PRIMARY KEY (node_id, severity)
);
CREATE INDEX node_count_open ON node_count (severity, node_id) WHERE open > 0;

CREATE TABLE affected_package (
	vulnerability_id BIGINT NOT NULL REFERENCES vulnerability (id),
	ecosystem        TEXT   NOT NULL,
	package          TEXT   NOT NULL,
	rank             BIGINT NOT NULL,
	open             BIGINT NOT NULL, -- occurrences, which here is nodes
	decided          BIGINT NOT NULL,
	fixable          BIGINT NOT NULL, -- of the open ones
	PRIMARY KEY (vulnerability_id, ecosystem, package)
);

-- A row for each vulnerability that was ever found on a node.
CREATE TABLE affected (
	vulnerability_id BIGINT PRIMARY KEY REFERENCES vulnerability (id),
	name             TEXT   NOT NULL,
	rank             BIGINT NOT NULL, -- the worst of its packages
	kev              BIGINT NOT NULL,
	fixable          BIGINT NOT NULL, -- 1 if it can be fixed on some node
	packages         BIGINT NOT NULL,
	nodes            BIGINT NOT NULL, -- with an open occurrence
	decided          BIGINT NOT NULL, -- nodes with a decided one
	first_seen       BIGINT NOT NULL  -- anywhere
);
CREATE INDEX affected_worst ON affected (rank DESC, name, kev, fixable) WHERE nodes > 0;
CREATE INDEX affected_nodes ON affected (nodes DESC, name) WHERE nodes > 0;
CREATE INDEX affected_seen ON affected (first_seen DESC, name) WHERE nodes > 0;
CREATE INDEX affected_name ON affected (name);
CREATE INDEX affected_decided ON affected (rank DESC, name) WHERE decided > 0;

INSERT INTO node_count (node_id, severity, open, decided)
	SELECT node_id, severity, count(*), 0 FROM occurrence WHERE state = 'open' GROUP BY node_id, severity;
INSERT INTO affected_package (vulnerability_id, ecosystem, package, rank, open, decided, fixable)
	SELECT vulnerability_id, ecosystem, package, max(rank), count(*) FILTER (WHERE state = 'open'), 0,
		count(*) FILTER (WHERE state = 'open' AND fixable = 1) FROM occurrence GROUP BY vulnerability_id, ecosystem, package;
INSERT INTO affected (vulnerability_id, name, rank, kev, fixable, packages, nodes, decided, first_seen)
	SELECT v.id, v.name, p.rank, COALESCE(v.kev, 0), p.fixable, p.packages, o.nodes, 0, o.first_seen FROM vulnerability AS v
	JOIN (SELECT vulnerability_id, COALESCE(max(rank) FILTER (WHERE open > 0), max(rank)) AS rank, CASE WHEN sum(fixable) > 0 THEN 1 ELSE 0 END AS fixable,
		count(*) FILTER (WHERE open > 0) AS packages FROM affected_package GROUP BY vulnerability_id) AS p ON p.vulnerability_id = v.id
	JOIN (SELECT vulnerability_id, count(DISTINCT node_id) FILTER (WHERE state = 'open') AS nodes, min(opened_at) AS first_seen
		FROM occurrence GROUP BY vulnerability_id) AS o ON o.vulnerability_id = v.id;

-- Which result says what is wrong with a node now; and of each finding, how many
-- of these results hold it.
CREATE TABLE node_result (
	node_id   TEXT   PRIMARY KEY,
	result_id BIGINT NOT NULL REFERENCES result (id)
);
CREATE INDEX node_result_result ON node_result (result_id, node_id);
ALTER TABLE finding ADD COLUMN name TEXT NOT NULL DEFAULT ''; -- of the vulnerability: lists sort by it
ALTER TABLE finding ADD COLUMN results BIGINT NOT NULL DEFAULT 0;
UPDATE finding SET name = v.name FROM vulnerability AS v WHERE v.id = finding.vulnerability_id;
CREATE INDEX finding_current ON finding (rank DESC, name, id) WHERE results > 0;
CREATE INDEX result_finding_finding ON result_finding (finding_id, result_id);
