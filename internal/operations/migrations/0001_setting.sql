-- What an administrator has set, by name; what is not here has its default.
CREATE TABLE setting (
	name  TEXT PRIMARY KEY,
	value TEXT NOT NULL -- JSON
);
