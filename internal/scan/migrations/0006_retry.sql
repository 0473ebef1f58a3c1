ALTER TABLE scan ADD COLUMN attempt BIGINT NOT NULL DEFAULT 1; -- of its run at its node
-- Of a scan of a run that failed of what may pass: open until the run has said whether
-- it scans the node again, and again if it does.
ALTER TABLE scan ADD COLUMN retry TEXT NOT NULL DEFAULT '';
CREATE INDEX scan_retry ON scan (run_id) WHERE retry = 'open';
