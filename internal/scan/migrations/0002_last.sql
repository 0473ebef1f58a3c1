-- What the last finished scan of a node came to.
CREATE TABLE node_scan (
	node_id      TEXT   PRIMARY KEY,
	state        TEXT   NOT NULL, -- complete, failed, cancelled
	completed_at BIGINT -- the last complete one; NULL if none was
);
CREATE INDEX node_scan_state ON node_scan (state, node_id);
CREATE INDEX node_scan_completed ON node_scan (completed_at, node_id);
INSERT INTO node_scan (node_id, state, completed_at)
	SELECT s.node_id, s.state, (SELECT max(finished_at) FROM scan AS c WHERE c.node_id = s.node_id AND c.state = 'complete')
	FROM scan AS s JOIN (SELECT node_id, max(id) AS id FROM scan WHERE finished_at IS NOT NULL GROUP BY node_id) AS last ON last.id = s.id;
CREATE INDEX scan_complete ON scan (node_id, id) WHERE state = 'complete';

-- Which result is each node's now stands in the finding room, whose tables are made
-- before scans are known: so those of before are told here.
INSERT INTO node_result (node_id, result_id)
	SELECT s.node_id, s.result_id FROM scan AS s JOIN (SELECT node_id, max(id) AS id FROM scan WHERE state = 'complete' GROUP BY node_id) AS last
	ON last.id = s.id WHERE s.result_id IS NOT NULL;
UPDATE finding SET results = r.results FROM (SELECT f.finding_id AS id, count(*) AS results FROM result_finding AS f
	WHERE f.result_id IN (SELECT result_id FROM node_result) GROUP BY f.finding_id) AS r WHERE r.id = finding.id;
