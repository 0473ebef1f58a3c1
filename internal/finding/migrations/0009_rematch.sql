-- What became known is matched against what is installed, for the whole fleet at
-- once and without a scan: each time is one row.
CREATE TABLE rematch (
	id              TEXT   PRIMARY KEY, -- UUIDv7, so that they sort among scans
	cause           TEXT   NOT NULL, -- feed, engine
	state           TEXT   NOT NULL, -- running, complete
	revision_before TEXT   NOT NULL, -- of the feed; '' where nodes had several
	revision        TEXT   NOT NULL,
	engine          TEXT   NOT NULL,
	records_new     BIGINT NOT NULL, -- advisories that came between the two revisions
	records_changed BIGINT NOT NULL,
	records_gone    BIGINT NOT NULL,
	components      BIGINT NOT NULL, -- component versions that were matched
	nodes           BIGINT NOT NULL, -- whose result was asked for anew
	opened          BIGINT NOT NULL, -- occurrences
	resolved        BIGINT NOT NULL,
	unchanged       BIGINT NOT NULL, -- still open, of the nodes on which something was opened or resolved
	started_at      BIGINT NOT NULL,
	finished_at     BIGINT -- NULL while it goes on
);
CREATE INDEX rematch_running ON rematch (id) WHERE state = 'running';
