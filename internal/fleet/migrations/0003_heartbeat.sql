-- A digest of what the node's agent said last: a heartbeat that says it again changes
-- nothing but when the node was seen.
ALTER TABLE node ADD COLUMN said TEXT NOT NULL DEFAULT '';
