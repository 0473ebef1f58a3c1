-- One row: the greatest number that was swept out of the log. Who read no further
-- than that has missed something.
CREATE TABLE event_sweep (
	one   BIGINT PRIMARY KEY CHECK (one = 1),
	swept BIGINT NOT NULL
);
INSERT INTO event_sweep (one, swept) VALUES (1, 0);
