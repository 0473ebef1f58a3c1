-- Re-matches stand in the report of scans, newest first.
CREATE INDEX rematch_started ON rematch (started_at, id);
