CREATE TABLE account (
	id         TEXT   PRIMARY KEY,
	username   TEXT   NOT NULL UNIQUE,
	password   TEXT   NOT NULL, -- argon2id, in the PHC string format
	role       TEXT   NOT NULL,
	created_at BIGINT NOT NULL
);

-- Sessions of people and tokens of machines. Only a hash of the secret is kept.
CREATE TABLE credential (
	id         TEXT   PRIMARY KEY,
	kind       TEXT   NOT NULL, -- session, api, ci, enrolment, agent
	name       TEXT   NOT NULL,
	hash       TEXT   NOT NULL UNIQUE,
	account_id TEXT   REFERENCES account (id) ON DELETE CASCADE,
	node_id    TEXT,
	created_at BIGINT NOT NULL,
	expires_at BIGINT
);
CREATE INDEX credential_node ON credential (node_id);
