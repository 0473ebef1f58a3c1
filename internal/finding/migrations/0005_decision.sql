-- What somebody decided: that occurrences of a vulnerability do not count.
CREATE TABLE decision (
	id            TEXT   PRIMARY KEY,
	vulnerability TEXT   NOT NULL, -- its name
	package       TEXT   NOT NULL, -- '' for any
	status        TEXT   NOT NULL, -- not_affected, false_positive, risk_accepted
	justification TEXT   NOT NULL, -- OpenVEX's, of not_affected
	reason        TEXT   NOT NULL,
	author        TEXT   NOT NULL,
	node_id       TEXT   NOT NULL, -- '' unless it is about one node
	selector      TEXT   NOT NULL, -- '' unless it is about those
	until         BIGINT, -- NULL for ever
	created_at    BIGINT NOT NULL,
	expired_at    BIGINT -- when it ended; NULL while it holds
);
CREATE INDEX decision_vulnerability ON decision (vulnerability, id) WHERE expired_at IS NULL;
CREATE INDEX decision_until ON decision (until) WHERE expired_at IS NULL;
CREATE INDEX decision_selector ON decision (id) WHERE selector <> '' AND expired_at IS NULL;

-- Whom a selector meant when it was last asked.
CREATE TABLE decision_node (
	decision_id TEXT NOT NULL REFERENCES decision (id) ON DELETE CASCADE,
	node_id     TEXT NOT NULL,
	PRIMARY KEY (decision_id, node_id)
);
CREATE INDEX decision_node_node ON decision_node (node_id);
CREATE INDEX occurrence_decision ON occurrence (decision_id) WHERE decision_id IS NOT NULL;
