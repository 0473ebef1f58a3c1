-- A document is kept once whatever the number of nodes that have it; so is an
-- inventory, and so is a component.
CREATE TABLE component (
	id             BIGKEY,
	ecosystem      TEXT NOT NULL,
	name           TEXT NOT NULL,
	version        TEXT NOT NULL,
	source_name    TEXT NOT NULL,
	source_version TEXT NOT NULL,
	purl           TEXT NOT NULL,
	UNIQUE (ecosystem, name, version, source_name, source_version)
);

CREATE TABLE inventory (
	id         BIGKEY,
	digest     TEXT   NOT NULL UNIQUE,
	ecosystems TEXT   NOT NULL, -- JSON list, sorted
	components BIGINT NOT NULL
);

CREATE TABLE inventory_component (
	inventory_id BIGINT NOT NULL REFERENCES inventory (id),
	component_id BIGINT NOT NULL REFERENCES component (id),
	PRIMARY KEY (inventory_id, component_id)
);
CREATE INDEX inventory_component_component ON inventory_component (component_id);

CREATE TABLE sbom (
	id           BIGKEY,
	digest       TEXT   NOT NULL UNIQUE,
	inventory_id BIGINT NOT NULL REFERENCES inventory (id),
	created_at   BIGINT NOT NULL,
	document     BLOB   NOT NULL -- the encoded document, zstd
);

CREATE TABLE node (
	id            TEXT   PRIMARY KEY,
	enrolment_key TEXT   NOT NULL UNIQUE, -- made up by the agent
	kind          TEXT   NOT NULL,
	name          TEXT   NOT NULL,
	machine_id    TEXT   NOT NULL,
	distribution  TEXT   NOT NULL, -- JSON
	architecture  TEXT   NOT NULL,
	kernel        TEXT   NOT NULL,
	agent         TEXT   NOT NULL,
	labels        TEXT   NOT NULL, -- JSON
	first_seen    BIGINT NOT NULL,
	last_seen     BIGINT NOT NULL,
	sbom_id       BIGINT REFERENCES sbom (id) -- what is installed, as last collected
);
CREATE INDEX node_kind ON node (kind, id);
