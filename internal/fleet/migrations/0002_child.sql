-- Containers and images are nodes that a host's agent finds; the rows of hosts have
-- no host_id.
ALTER TABLE node ADD COLUMN host_id TEXT REFERENCES node (id);
ALTER TABLE node ADD COLUMN runtime TEXT NOT NULL DEFAULT '';   -- what runs or keeps it
ALTER TABLE node ADD COLUMN child_key TEXT NOT NULL DEFAULT ''; -- its runtime's name for it
ALTER TABLE node ADD COLUMN image TEXT NOT NULL DEFAULT '{}';   -- JSON
ALTER TABLE node ADD COLUMN present BIGINT NOT NULL DEFAULT 1;  -- 0: it has ended, or was removed
ALTER TABLE node ADD COLUMN runtimes TEXT NOT NULL DEFAULT '[]'; -- JSON: those of a host
CREATE UNIQUE INDEX node_child ON node (host_id, kind, child_key);

-- What a container or an image is shows in its files alone.
ALTER TABLE sbom ADD COLUMN distribution TEXT NOT NULL DEFAULT '{}'; -- JSON
