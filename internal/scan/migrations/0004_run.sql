-- How many scans of a run go on is asked whenever one of them ends.
CREATE INDEX scan_run_unfinished ON scan (run_id) WHERE state IN ('queued', 'collecting', 'matching');
