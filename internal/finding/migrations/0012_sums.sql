-- What is open in all is the sum over places, of which there are fewer than numbers of
-- nodes; an index to sum those up by changed with every one of them.
CREATE INDEX affected_package_sum ON affected_package (rank, open, decided);

-- A table that is read by its key alone needs no rows beside.
CREATE TABLE sums (
	node_id  TEXT   NOT NULL,
	severity TEXT   NOT NULL,
	open     BIGINT NOT NULL,
	decided  BIGINT NOT NULL,
	PRIMARY KEY (node_id, severity)
) CLUSTERED;
INSERT INTO sums (node_id, severity, open, decided) SELECT node_id, severity, open, decided FROM node_count ORDER BY node_id, severity;
DROP TABLE node_count;
ALTER TABLE sums RENAME TO node_count;
CREATE INDEX node_count_open ON node_count (severity, node_id) WHERE open > 0;
