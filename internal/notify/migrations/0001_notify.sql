CREATE TABLE integration (
	id              TEXT   PRIMARY KEY,
	name            TEXT   NOT NULL UNIQUE,
	kind            TEXT   NOT NULL,
	settings        TEXT   NOT NULL, -- JSON object, without secrets
	secrets         TEXT   NOT NULL, -- JSON object, sealed; '' where there are none
	secret_names    TEXT   NOT NULL, -- JSON list of the fields in it
	enabled         BIGINT NOT NULL,
	per_minute      BIGINT NOT NULL, -- how many deliveries at most; 0 for any number
	created_at      BIGINT NOT NULL,
	version         BIGINT NOT NULL DEFAULT 1, -- grows with each change of what it sends by
	failures        BIGINT NOT NULL DEFAULT 0, -- attempts in a row that failed
	failing_since   BIGINT,
	failing_because TEXT   NOT NULL DEFAULT '',
	told_failing    BIGINT NOT NULL DEFAULT 0, -- 1 once an event said so
	delivered_at    BIGINT, -- last
	resumes_at      BIGINT NOT NULL DEFAULT 0 -- nothing is sent before
);

CREATE TABLE rule (
	id           TEXT   PRIMARY KEY,
	name         TEXT   NOT NULL UNIQUE,
	definition   TEXT   NOT NULL, -- JSON object
	integrations TEXT   NOT NULL, -- JSON list of lists: their ids
	enabled      BIGINT NOT NULL,
	created_at   BIGINT NOT NULL,
	seen         BIGINT NOT NULL, -- number of the last event that was read
	digest_at    BIGINT, -- when the next digest is due
	error        TEXT   NOT NULL DEFAULT '', -- of a condition or a template, the last
	error_at     BIGINT,
	window_from  BIGINT NOT NULL DEFAULT 0, -- in which so many notifications were made
	window_count BIGINT NOT NULL DEFAULT 0,
	overflow_at  BIGINT  -- when what was too many is told together
);

CREATE TABLE raised (
	rule_id   TEXT   NOT NULL REFERENCES rule (id) ON DELETE CASCADE,
	key       TEXT   NOT NULL,
	raised_at BIGINT NOT NULL,
	PRIMARY KEY (rule_id, key)
);

CREATE TABLE gathered (
	id       BIGKEY,
	rule_id  TEXT   NOT NULL REFERENCES rule (id) ON DELETE CASCADE,
	overflow BIGINT NOT NULL, -- 1 for what was too many
	at       BIGINT NOT NULL,
	rank     BIGINT NOT NULL, -- of the severity
	matter   TEXT   NOT NULL  -- JSON object
);
CREATE INDEX gathered_rule ON gathered (rule_id, overflow, rank DESC, id);

CREATE TABLE notification (
	id         TEXT   PRIMARY KEY,
	rule_id    TEXT   NOT NULL,
	cause      TEXT   NOT NULL UNIQUE, -- what it was made of: it is made once
	title      TEXT   NOT NULL, -- what lists show of it
	content    TEXT   NOT NULL, -- JSON object
	created_at BIGINT NOT NULL
);
CREATE INDEX notification_created ON notification (created_at, id);

CREATE TABLE delivery (
	number          BIGKEY, -- the order of one key
	id              TEXT   NOT NULL UNIQUE,
	integration_id  TEXT   NOT NULL REFERENCES integration (id) ON DELETE CASCADE,
	notification_id TEXT   NOT NULL REFERENCES notification (id) ON DELETE CASCADE,
	rule_id         TEXT   NOT NULL,
	key             TEXT   NOT NULL,
	action          TEXT   NOT NULL,
	state           TEXT   NOT NULL, -- pending, delivered, dead, superseded
	due_at          BIGINT NOT NULL,
	lease_until     BIGINT,
	lease_id        TEXT,
	attempts        BIGINT NOT NULL DEFAULT 0,
	created_at      BIGINT NOT NULL,
	began_at        BIGINT, -- first attempt: it may have waited for the end of a quiet weekend before
	ended_at        BIGINT,
	ref             TEXT   NOT NULL DEFAULT '', -- what the far side calls what it made
	error           TEXT   NOT NULL DEFAULT '' -- of the last attempt
);
CREATE INDEX delivery_pending ON delivery (integration_id, due_at, id) WHERE state = 'pending';
CREATE INDEX delivery_order ON delivery (integration_id, key, number) WHERE state = 'pending';
CREATE INDEX delivery_key ON delivery (integration_id, key, number);
CREATE INDEX delivery_state ON delivery (state, number);
CREATE INDEX delivery_rule ON delivery (rule_id, number);
CREATE INDEX delivery_notification ON delivery (notification_id);

CREATE TABLE attempt (
	delivery_id TEXT   NOT NULL REFERENCES delivery (id) ON DELETE CASCADE,
	number      BIGINT NOT NULL,
	at          BIGINT NOT NULL,
	took        BIGINT NOT NULL, -- microseconds
	error       TEXT   NOT NULL,
	request     TEXT   NOT NULL, -- without secrets
	response    TEXT   NOT NULL,
	PRIMARY KEY (delivery_id, number)
);
