-- One row: the first due day of which nobody was told yet that it has passed. There is
-- none before the first start: what was overdue then is not told.
CREATE TABLE overdue (
	id      BIGINT PRIMARY KEY,
	through BIGINT NOT NULL -- from 1970, UTC
);
