-- A token that is in teams sees the nodes of these, and no others. A team that has
-- tokens is not deleted: they would see everything.
CREATE TABLE credential_team (
	credential_id TEXT NOT NULL REFERENCES credential (id) ON DELETE CASCADE,
	team_id       TEXT NOT NULL REFERENCES team (id),
	PRIMARY KEY (credential_id, team_id)
);
CREATE INDEX credential_team_team ON credential_team (team_id);
