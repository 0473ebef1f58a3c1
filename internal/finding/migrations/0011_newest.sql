-- What an occurrence costs is its indexes, and a disclosure opens hundreds of
-- thousands. So an open one stands in three: by node and place, by vulnerability, and
-- among those that are alike; the history of nodes has one of its own.
DROP INDEX occurrence_fleet;
DROP INDEX occurrence_node;
DROP INDEX occurrence_vulnerability;
DROP INDEX occurrence_package;
CREATE INDEX occurrence_alike_open ON occurrence ((rank * 4 + kev * 2 + fixable), opened_at, id) WHERE state = 'open';
CREATE INDEX occurrence_alike_decided ON occurrence ((rank * 4 + kev * 2 + fixable), opened_at, id) WHERE state = 'decided';
CREATE INDEX occurrence_alike_resolved ON occurrence ((rank * 4 + kev * 2 + fixable), opened_at, id) WHERE state = 'resolved';
CREATE INDEX occurrence_vulnerability ON occurrence (vulnerability_id, opened_at, id);
CREATE INDEX occurrence_history ON occurrence (node_id, opened_at, id) WHERE resolved_at IS NOT NULL;
-- A package is looked for through its vulnerabilities.
CREATE INDEX affected_package_package ON affected_package (package, vulnerability_id);
