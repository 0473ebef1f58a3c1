-- Tables that are their key, or little more, need no rows beside.
CREATE TABLE holds (
	result_id  BIGINT NOT NULL REFERENCES result (id),
	finding_id BIGINT NOT NULL REFERENCES finding (id),
	PRIMARY KEY (result_id, finding_id)
) CLUSTERED;
INSERT INTO holds (result_id, finding_id) SELECT result_id, finding_id FROM result_finding ORDER BY result_id, finding_id;
DROP TABLE result_finding;
ALTER TABLE holds RENAME TO result_finding;
CREATE INDEX result_finding_finding ON result_finding (finding_id, result_id);

CREATE TABLE held (
	node_id   TEXT   PRIMARY KEY,
	result_id BIGINT NOT NULL REFERENCES result (id)
) CLUSTERED;
INSERT INTO held (node_id, result_id) SELECT node_id, result_id FROM node_result ORDER BY node_id;
DROP TABLE node_result;
ALTER TABLE held RENAME TO node_result;
CREATE INDEX node_result_result ON node_result (result_id, node_id);
