-- Whether OSV was brought up to date lately, by any console; one row.
CREATE TABLE feed_freshness (
	id           BIGINT PRIMARY KEY, -- 1
	began_at     BIGINT NOT NULL,    -- when a console first looked
	succeeded_at BIGINT,             -- when it was last brought up to date; NULL before the first time
	stale_since  BIGINT              -- NULL while it is fresh
);
