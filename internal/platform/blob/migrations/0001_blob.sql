-- Which store holds the large objects of this database; one row at most.
CREATE TABLE blob_store (
	id TEXT PRIMARY KEY
);
