-- Why OSV could not be brought up to date when it was last checked; '' if it could.
ALTER TABLE feed_shared ADD COLUMN osv_error TEXT NOT NULL DEFAULT '';
