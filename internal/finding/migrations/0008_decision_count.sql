-- How many occurrences do not count because of a decision is told with it.
DROP INDEX occurrence_decision;
CREATE INDEX occurrence_decision ON occurrence (decision_id, state, node_id) WHERE decision_id IS NOT NULL;
