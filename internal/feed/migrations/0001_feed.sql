-- What consoles that share this database have installed, for each other; one row.
CREATE TABLE feed_shared (
	id                      BIGINT PRIMARY KEY, -- 1
	bundle                  TEXT   NOT NULL,    -- key of the large object; "" before the first
	bundle_before           TEXT   NOT NULL,    -- the one that it took the place of
	revision                TEXT   NOT NULL,
	intelligence            TEXT   NOT NULL,
	osv_checked_at          BIGINT NOT NULL,
	intelligence_checked_at BIGINT NOT NULL
);
