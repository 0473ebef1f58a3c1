ALTER TABLE account ADD COLUMN disabled     BIGINT NOT NULL DEFAULT 0;
ALTER TABLE account ADD COLUMN last_sign_in BIGINT;
-- Who an identity provider says this is; empty for those with a password here.
ALTER TABLE account ADD COLUMN issuer       TEXT   NOT NULL DEFAULT '';
ALTER TABLE account ADD COLUMN subject      TEXT   NOT NULL DEFAULT '';
CREATE UNIQUE INDEX account_subject ON account (issuer, subject) WHERE subject <> '';

-- What a token may do; a session may do what its account may.
ALTER TABLE credential ADD COLUMN role         TEXT   NOT NULL DEFAULT '';
ALTER TABLE credential ADD COLUMN last_used_at BIGINT;
UPDATE credential SET role = 'admin' WHERE kind = 'api';
UPDATE credential SET role = 'viewer' WHERE kind = 'ci';
CREATE INDEX credential_account ON credential (account_id);
CREATE INDEX credential_expiry ON credential (expires_at);

-- Sign-ins that failed since the last that did not. The name is a hash: people
-- type their password into the wrong field.
CREATE TABLE sign_in_failure (
	name       TEXT   NOT NULL,
	address    TEXT   NOT NULL,
	failures   BIGINT NOT NULL,
	failed_at  BIGINT NOT NULL,
	wait_until BIGINT NOT NULL,
	PRIMARY KEY (name, address)
);
CREATE INDEX sign_in_failure_time ON sign_in_failure (failed_at);
