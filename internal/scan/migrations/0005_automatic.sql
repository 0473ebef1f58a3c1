-- 1: the node's packages changed after its collection had begun, so that another
-- scan follows this one.
ALTER TABLE scan ADD COLUMN again BIGINT NOT NULL DEFAULT 0;
CREATE INDEX scan_change ON scan (node_id, queued_at) WHERE cause = 'change';
