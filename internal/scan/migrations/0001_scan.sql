CREATE TABLE scan (
	id          TEXT   PRIMARY KEY,
	node_id     TEXT   NOT NULL,
	state       TEXT   NOT NULL, -- queued, collecting, matching, complete, failed, cancelled
	cause       TEXT   NOT NULL, -- what started it: schedule, on_demand
	schedule_id TEXT   NOT NULL, -- "" unless a schedule did
	run_id      TEXT   NOT NULL,
	queued_at   BIGINT NOT NULL,
	started_at  BIGINT,
	finished_at BIGINT,
	error       TEXT   NOT NULL DEFAULT '',
	warnings    TEXT   NOT NULL DEFAULT '[]', -- JSON
	sbom_id     BIGINT,
	result_id   BIGINT,
	revision    TEXT   NOT NULL DEFAULT '', -- of the feed
	sample      BIGINT NOT NULL DEFAULT 0,  -- 1: that revision was the sample
	engine      TEXT   NOT NULL DEFAULT '',
	opened      BIGINT NOT NULL DEFAULT 0,
	resolved    BIGINT NOT NULL DEFAULT 0,
	unseen      TEXT   NOT NULL DEFAULT '[]', -- JSON: components that stood where this scan could not read
	not_assessed TEXT  NOT NULL DEFAULT '[]', -- JSON: what it did not assess because of that
	-- The console leases a scan while it matches it.
	due_at      BIGINT NOT NULL,
	lease_until BIGINT,
	lease_id    TEXT,
	attempts    BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX scan_node ON scan (node_id, id);
CREATE INDEX scan_due ON scan (state, due_at);
CREATE INDEX scan_run ON scan (run_id);
-- One unfinished scan a node: asking again joins it.
CREATE UNIQUE INDEX scan_unfinished ON scan (node_id) WHERE state IN ('queued', 'collecting', 'matching');

-- What the console asks of an agent, who leases it while it works.
CREATE TABLE command (
	id          TEXT   PRIMARY KEY,
	node_id     TEXT   NOT NULL,
	kind        TEXT   NOT NULL, -- scan
	scan_id     TEXT   NOT NULL REFERENCES scan (id),
	state       TEXT   NOT NULL, -- open, done, failed, cancelled
	due_at      BIGINT NOT NULL,
	lease_until BIGINT,
	lease_id    TEXT,
	attempts    BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX command_due ON command (state, node_id, due_at);
CREATE INDEX command_scan ON command (scan_id);
