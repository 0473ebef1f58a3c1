-- Who changed what. Rows are only added: nothing refers to what they tell of,
-- which may be gone.
CREATE TABLE audit (
	id           BIGKEY,
	time         BIGINT NOT NULL,
	actor_kind   TEXT   NOT NULL,
	actor_id     TEXT   NOT NULL,
	actor        TEXT   NOT NULL,
	address      TEXT   NOT NULL,
	action       TEXT   NOT NULL,
	subject_kind TEXT   NOT NULL,
	subject_id   TEXT   NOT NULL,
	subject      TEXT   NOT NULL,
	before_state TEXT,
	after_state  TEXT
);
CREATE INDEX audit_actor ON audit (actor, id);
CREATE INDEX audit_actor_id ON audit (actor_id, id);
CREATE INDEX audit_action ON audit (action, id);
CREATE INDEX audit_subject ON audit (subject_id, id);
