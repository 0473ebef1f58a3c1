-- A notification is given up so long after it was first tried: it may have waited for
-- the end of a quiet weekend before.
ALTER TABLE delivery ADD COLUMN began_at BIGINT;
-- What lists show of a notification; its content need not be read for that.
ALTER TABLE notification ADD COLUMN title TEXT NOT NULL DEFAULT '';
