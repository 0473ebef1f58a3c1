-- The id is a surrogate: a CVE that comes later renames the row.
CREATE TABLE vulnerability (
	id       BIGKEY,
	name     TEXT   NOT NULL UNIQUE,
	aliases  TEXT   NOT NULL, -- JSON list
	summary  TEXT   NOT NULL,
	severity TEXT   NOT NULL,
	rank     BIGINT NOT NULL, -- of the severity; 5 is worst
	cvss     TEXT   NOT NULL  -- JSON list, the deciding vector first
);

-- What is known to be wrong with one component version. Rows never change; when
-- an advisory does, there is another row.
CREATE TABLE finding (
	id               BIGKEY,
	component_id     BIGINT NOT NULL,
	vulnerability_id BIGINT NOT NULL REFERENCES vulnerability (id),
	ecosystem        TEXT   NOT NULL, -- without its release
	package          TEXT   NOT NULL, -- as the advisory matched it
	fixed            TEXT   NOT NULL, -- JSON list
	advisories       TEXT   NOT NULL, -- JSON list
	UNIQUE (component_id, vulnerability_id, package, fixed, advisories)
);
CREATE INDEX finding_vulnerability ON finding (vulnerability_id);

-- What matching an inventory gave, by content: equal results are one row.
CREATE TABLE result (
	id        BIGKEY,
	digest    TEXT NOT NULL UNIQUE,
	uncovered TEXT NOT NULL, -- JSON list of ecosystems that the feed lacked
	unread    TEXT NOT NULL  -- JSON list of components whose version could not be read
);
CREATE TABLE result_finding (
	result_id  BIGINT NOT NULL REFERENCES result (id),
	finding_id BIGINT NOT NULL REFERENCES finding (id),
	PRIMARY KEY (result_id, finding_id)
);

-- (inventory, OSV revision, engine version) names one result.
CREATE TABLE result_of (
	inventory_id BIGINT NOT NULL,
	revision     TEXT   NOT NULL,
	engine       TEXT   NOT NULL,
	result_id    BIGINT NOT NULL REFERENCES result (id),
	PRIMARY KEY (inventory_id, revision, engine)
);

-- A row for each interval in which a node was open to a vulnerability.
CREATE TABLE occurrence (
	id               BIGKEY,
	node_id          TEXT   NOT NULL,
	vulnerability_id BIGINT NOT NULL REFERENCES vulnerability (id),
	ecosystem        TEXT   NOT NULL,
	package          TEXT   NOT NULL,
	opened_at        BIGINT NOT NULL,
	opened_scan      TEXT   NOT NULL,
	opened_because   TEXT   NOT NULL,
	resolved_at      BIGINT,
	resolved_scan    TEXT,
	resolved_because TEXT
);
CREATE UNIQUE INDEX occurrence_open ON occurrence (node_id, vulnerability_id, ecosystem, package) WHERE resolved_at IS NULL;
CREATE INDEX occurrence_node ON occurrence (node_id, id);
CREATE INDEX occurrence_vulnerability ON occurrence (vulnerability_id);
