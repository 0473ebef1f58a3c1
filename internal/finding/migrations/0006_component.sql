-- A decision may be about one component, at one version: '' for any. The first is
-- its purl as it was given, the others are what that comes to.
ALTER TABLE decision ADD COLUMN component TEXT NOT NULL DEFAULT '';
ALTER TABLE decision ADD COLUMN ecosystem TEXT NOT NULL DEFAULT ''; -- with its release, if that was told
ALTER TABLE decision ADD COLUMN name      TEXT NOT NULL DEFAULT ''; -- in the form that names are compared in
ALTER TABLE decision ADD COLUMN version   TEXT NOT NULL DEFAULT '';
ALTER TABLE decision ADD COLUMN source    BIGINT NOT NULL DEFAULT 0; -- 1: name and version are those of a source package
ALTER TABLE decision ADD COLUMN warned_at BIGINT; -- when it was told that it will expire

-- Components that stood where the last scan of a node could not read: what was
-- found in them is open still.
CREATE TABLE unseen_component (
	node_id      TEXT   NOT NULL,
	component_id BIGINT NOT NULL,
	PRIMARY KEY (node_id, component_id)
);

CREATE INDEX occurrence_resolved ON occurrence (resolved_at, id) WHERE resolved_at IS NOT NULL;
