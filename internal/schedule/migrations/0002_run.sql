ALTER TABLE schedule ADD COLUMN options TEXT NOT NULL DEFAULT '{}'; -- JSON: the rules by which runs start
-- When next_fire_at was computed, to notice that the clock was set back; NULL where
-- somebody chose it.
ALTER TABLE schedule ADD COLUMN decided_at BIGINT;
ALTER TABLE schedule ADD COLUMN paused_at BIGINT;
ALTER TABLE schedule ADD COLUMN paused_until BIGINT; -- NULL: until somebody resumes it
ALTER TABLE schedule ADD COLUMN pause_reason TEXT NOT NULL DEFAULT '';
-- A fire time that came and could not start yet.
ALTER TABLE schedule ADD COLUMN held_for BIGINT;
ALTER TABLE schedule ADD COLUMN held_until BIGINT; -- NULL: until the run before ends
ALTER TABLE schedule ADD COLUMN held_by TEXT NOT NULL DEFAULT ''; -- window, overlap
ALTER TABLE schedule ADD COLUMN held_missed BIGINT NOT NULL DEFAULT 0; -- 1: it had been missed before
ALTER TABLE schedule ADD COLUMN missed BIGINT NOT NULL DEFAULT 0; -- fire times without a run, since the last

ALTER TABLE run ADD COLUMN cause TEXT NOT NULL DEFAULT 'schedule'; -- schedule, on_demand, backfill
ALTER TABLE run ADD COLUMN caught_up BIGINT NOT NULL DEFAULT 0;
ALTER TABLE run ADD COLUMN held_by TEXT NOT NULL DEFAULT '';
ALTER TABLE run ADD COLUMN missed BIGINT NOT NULL DEFAULT 0;  -- fire times that this run stands for besides its own
ALTER TABLE run ADD COLUMN dropped BIGINT NOT NULL DEFAULT 0; -- fire times that came while it went on
-- The limits of the schedule as the run found them.
ALTER TABLE run ADD COLUMN max_concurrent BIGINT NOT NULL DEFAULT 0; -- 0: none
ALTER TABLE run ADD COLUMN label_key TEXT NOT NULL DEFAULT '';
ALTER TABLE run ADD COLUMN label_max BIGINT NOT NULL DEFAULT 0;
ALTER TABLE run ADD COLUMN deadline BIGINT NOT NULL DEFAULT 0;
ALTER TABLE run ADD COLUMN ending TEXT NOT NULL DEFAULT ''; -- cancelled, timeout: why it is given up
ALTER TABLE run ADD COLUMN finished_at BIGINT;
ALTER TABLE run ADD COLUMN states TEXT NOT NULL DEFAULT '{}'; -- JSON: its scans by state, once it has finished
ALTER TABLE run ADD COLUMN steps BIGINT NOT NULL DEFAULT 0; -- who counts up goes on with the run
UPDATE run SET deadline = fired_at + 86400000000;
ALTER TABLE run ADD COLUMN chosen BIGINT NOT NULL DEFAULT 1; -- 0: its nodes are not known yet
CREATE INDEX run_unfinished ON run (schedule_id, id) WHERE finished_at IS NULL;

-- A node of a run that is no scan: not yet, or not at all.
CREATE TABLE run_node (
	run_id  TEXT   NOT NULL REFERENCES run (id) ON DELETE CASCADE,
	node_id TEXT   NOT NULL,
	state   TEXT   NOT NULL, -- waiting, skipped
	due_at  BIGINT NOT NULL,
	reason  TEXT   NOT NULL, -- of skipped: busy, gone, cancelled, timeout
	PRIMARY KEY (run_id, node_id)
) CLUSTERED;
CREATE INDEX run_node_waiting ON run_node (run_id, due_at, node_id) WHERE state = 'waiting';
