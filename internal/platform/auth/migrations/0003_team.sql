-- A team's users see the nodes that its selector means, and no others.
CREATE TABLE team (
	id         TEXT   PRIMARY KEY,
	name       TEXT   NOT NULL UNIQUE,
	selector   TEXT   NOT NULL,
	created_at BIGINT NOT NULL
);
-- A team that has users is not deleted: they would see everything.
ALTER TABLE account ADD COLUMN team_id TEXT REFERENCES team (id);
CREATE INDEX account_team ON account (team_id);
