-- The report lists a million scans: what it says and filters by stands in the row.
ALTER TABLE scan ADD COLUMN found TEXT; -- JSON: what a complete scan found, by severity, as it was known then
ALTER TABLE scan ADD COLUMN worst BIGINT NOT NULL DEFAULT -1; -- rank of the worst of it; -1: nothing
ALTER TABLE scan ADD COLUMN unchanged BIGINT NOT NULL DEFAULT 0; -- what was open on the node before and still is
ALTER TABLE scan ADD COLUMN facet_id BIGINT; -- NULL while the scan goes on

-- Each combination of what scans that ended are filtered by, of which there are few:
-- an index by it is cut into runs, each in the order of the list.
CREATE TABLE scan_facet (
	id        BIGKEY,
	cause     TEXT   NOT NULL,
	node_kind TEXT   NOT NULL,
	state     TEXT   NOT NULL,
	worst     BIGINT NOT NULL,
	changed   BIGINT NOT NULL, -- 1: something was opened or resolved
	UNIQUE (cause, node_kind, state, worst, changed)
);

-- Results are counted once each, however many scans came to them. What was open
-- before is not known any more, but for what was found and not opened.
UPDATE scan SET found = r.found, worst = r.worst, unchanged = CASE WHEN r.amount > scan.opened THEN r.amount - scan.opened ELSE 0 END
	FROM (SELECT result_id, json_group_object(severity, amount) AS found, max(rank) AS worst, CAST(sum(amount) AS BIGINT) AS amount
		FROM (SELECT result_id, severity, rank, count(*) AS amount
			FROM (SELECT DISTINCT r.result_id, f.vulnerability_id, f.severity, f.rank, f.ecosystem, f.package
				FROM result_finding AS r JOIN finding AS f ON f.id = r.finding_id) AS once
			GROUP BY result_id, severity, rank) AS counted
		GROUP BY result_id) AS r
	WHERE scan.result_id = r.result_id AND scan.state = 'complete';
UPDATE scan SET found = '{}' WHERE state = 'complete' AND found IS NULL;
INSERT INTO scan_facet (cause, node_kind, state, worst, changed)
	SELECT DISTINCT s.cause, n.kind, s.state, s.worst, CASE WHEN s.opened + s.resolved > 0 THEN 1 ELSE 0 END
	FROM scan AS s JOIN node AS n ON n.id = s.node_id WHERE s.state IN ('complete', 'failed', 'cancelled');
UPDATE scan SET facet_id = f.id FROM scan_facet AS f, node AS n
	WHERE n.id = scan.node_id AND f.cause = scan.cause AND f.node_kind = n.kind AND f.state = scan.state AND f.worst = scan.worst
	  AND f.changed = CASE WHEN scan.opened + scan.resolved > 0 THEN 1 ELSE 0 END;

CREATE INDEX scan_at ON scan (queued_at, id);
CREATE INDEX scan_facet_at ON scan (facet_id, queued_at, id);
CREATE INDEX scan_schedule_at ON scan (schedule_id, facet_id, queued_at, id) WHERE schedule_id <> '';
DROP INDEX scan_run;
CREATE INDEX scan_run_at ON scan (run_id, queued_at, id);
