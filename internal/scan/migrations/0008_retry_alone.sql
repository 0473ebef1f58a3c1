-- Of a scan of an arrival or a change that failed of what may pass: when its node is
-- scanned again, unless it was scanned meanwhile. NULL once that is settled.
ALTER TABLE scan ADD COLUMN retry_at BIGINT;
CREATE INDEX scan_retry_at ON scan (retry_at) WHERE retry_at IS NOT NULL;
