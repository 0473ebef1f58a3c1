-- What a node's labels come from; labels stays what they come to.
ALTER TABLE node ADD COLUMN label_origins TEXT NOT NULL DEFAULT '{}'; -- JSON: origin, then label
UPDATE node SET label_origins = '{"agent":' || labels || '}';

-- What tells machines apart whose agents show one credential, or one key.
ALTER TABLE node ADD COLUMN cloud TEXT NOT NULL DEFAULT '{}'; -- JSON
ALTER TABLE node ADD COLUMN cloud_instance TEXT NOT NULL DEFAULT ''; -- provider/id
ALTER TABLE node ADD COLUMN hardware_id TEXT NOT NULL DEFAULT '';
ALTER TABLE node ADD COLUMN session TEXT NOT NULL DEFAULT ''; -- the agent's process
ALTER TABLE node ADD COLUMN sessions TEXT NOT NULL DEFAULT '{}'; -- JSON: the others
CREATE INDEX node_cloud_instance ON node (cloud_instance) WHERE cloud_instance <> '';
CREATE INDEX node_hardware ON node (hardware_id, machine_id) WHERE hardware_id <> '';

ALTER TABLE node ADD COLUMN uploaded BIGINT NOT NULL DEFAULT 0; -- 1: an SBOM without an agent
ALTER TABLE node ADD COLUMN silent_at BIGINT; -- when its silence was noticed
ALTER TABLE node ADD COLUMN retired_at BIGINT;
ALTER TABLE node ADD COLUMN revived_at BIGINT;
