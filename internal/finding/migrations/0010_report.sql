-- Re-matches stand in the report of scans, newest first.
CREATE INDEX rematch_started ON rematch (started_at, id);

-- What was opened and resolved on each day that is over, counted once, since
-- occurrences are too many to count for every look at their trend, and those that were
-- resolved are not kept for ever.
CREATE TABLE trend_day (
	day      BIGINT NOT NULL, -- from 1970, UTC
	rank     BIGINT NOT NULL, -- of the severity
	open     BIGINT NOT NULL, -- at its end, decided ones too
	opened   BIGINT NOT NULL,
	resolved BIGINT NOT NULL,
	fixed    BIGINT NOT NULL, -- resolved by an upgrade or a removal
	seconds  BIGINT NOT NULL, -- that those were open, together
	hours    TEXT   NOT NULL, -- JSON object: how many of them were open for how many hours
	PRIMARY KEY (day, rank)
);

-- How many are open now, by the day on which they were opened.
CREATE TABLE trend_age (
	rank BIGINT NOT NULL,
	kev  BIGINT NOT NULL,
	day  BIGINT NOT NULL,
	open BIGINT NOT NULL,
	PRIMARY KEY (rank, kev, day)
);

-- One row: how far both are.
CREATE TABLE trend (
	id      BIGINT PRIMARY KEY,
	through BIGINT NOT NULL, -- the first day that is not in trend_day
	aged_at BIGINT NOT NULL  -- when trend_age was counted; 0 if it never was
);
INSERT INTO trend (id, through, aged_at) VALUES (1, 0, 0);
DROP INDEX occurrence_resolved;
CREATE INDEX occurrence_resolved ON occurrence (resolved_at, id, rank, opened_at, resolved_because) WHERE resolved_at IS NOT NULL;
-- How many are open in all is asked with every trend.
CREATE INDEX node_count_sum ON node_count (severity, open, decided);
