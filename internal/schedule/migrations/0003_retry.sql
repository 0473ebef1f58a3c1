ALTER TABLE run ADD COLUMN retries BIGINT NOT NULL DEFAULT 0; -- how often a node whose scan failed is scanned again, as the run found it
ALTER TABLE run ADD COLUMN retried BIGINT NOT NULL DEFAULT 0; -- scans that did so
ALTER TABLE run ADD COLUMN feed_checked_at BIGINT;            -- NULL: nothing starts before the feed was looked at
ALTER TABLE run ADD COLUMN feed_error TEXT NOT NULL DEFAULT '';
ALTER TABLE run ADD COLUMN looked_at BIGINT;                  -- when some console last looked at its clock for it
UPDATE run SET feed_checked_at = fired_at;
-- A node that waits to be scanned again: which scan this is, and which one failed.
ALTER TABLE run_node ADD COLUMN attempt BIGINT NOT NULL DEFAULT 1;
ALTER TABLE run_node ADD COLUMN failed_scan TEXT NOT NULL DEFAULT '';
CREATE INDEX run_feed ON run (id) WHERE finished_at IS NULL AND feed_checked_at IS NULL;
CREATE INDEX run_finished ON run (finished_at, id) WHERE finished_at IS NOT NULL;
