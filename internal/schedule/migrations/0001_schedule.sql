CREATE TABLE schedule (
	id           TEXT   PRIMARY KEY,
	name         TEXT   NOT NULL UNIQUE,
	cron         TEXT   NOT NULL,
	time_zone    TEXT   NOT NULL, -- IANA name
	selector     TEXT   NOT NULL, -- CEL
	enabled      BIGINT NOT NULL,
	next_fire_at BIGINT,          -- NULL while disabled
	created_at   BIGINT NOT NULL
);
CREATE INDEX schedule_due ON schedule (next_fire_at) WHERE next_fire_at IS NOT NULL;

CREATE TABLE run (
	id            TEXT   PRIMARY KEY,
	schedule_id   TEXT   NOT NULL REFERENCES schedule (id) ON DELETE CASCADE,
	scheduled_for BIGINT NOT NULL,
	fired_at      BIGINT NOT NULL,
	selected      BIGINT NOT NULL, -- nodes that the selector meant
	started       BIGINT NOT NULL, -- scans; the others were being scanned already
	error         TEXT   NOT NULL
);
CREATE INDEX run_schedule ON run (schedule_id, id);
