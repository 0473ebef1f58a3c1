CREATE TABLE event (
	id      BIGKEY,
	type    TEXT   NOT NULL,
	subject TEXT   NOT NULL,
	time    BIGINT NOT NULL,
	data    TEXT   NOT NULL
);
