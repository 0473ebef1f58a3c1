-- How severe a vulnerability is can depend on whose package it is in, where only a
-- distribution's word tells: so each finding has its own.
ALTER TABLE finding ADD COLUMN severity TEXT NOT NULL DEFAULT 'unknown';
ALTER TABLE finding ADD COLUMN rank BIGINT NOT NULL DEFAULT 0; -- of the severity; 5 is worst
ALTER TABLE occurrence ADD COLUMN severity TEXT NOT NULL DEFAULT 'unknown';
ALTER TABLE occurrence ADD COLUMN rank BIGINT NOT NULL DEFAULT 0;
UPDATE finding SET severity = v.severity, rank = v.rank FROM vulnerability AS v WHERE v.id = finding.vulnerability_id;
UPDATE occurrence SET severity = v.severity, rank = v.rank FROM vulnerability AS v WHERE v.id = occurrence.vulnerability_id;
