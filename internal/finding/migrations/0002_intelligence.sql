-- What the advisories state, so that a change of what is known of the CVE beside
-- them re-assesses without matching; empty in rows of before, until they are
-- matched again.
ALTER TABLE vulnerability ADD COLUMN stated TEXT NOT NULL DEFAULT '';
ALTER TABLE vulnerability ADD COLUMN words TEXT NOT NULL DEFAULT '[]'; -- JSON list
ALTER TABLE vulnerability ADD COLUMN epss DOUBLE PRECISION; -- 0 to 1; NULL where there is no score
ALTER TABLE vulnerability ADD COLUMN kev BIGINT; -- 1 if listed, 0 if not, NULL where no catalogue was asked
ALTER TABLE vulnerability ADD COLUMN ssvc TEXT NOT NULL DEFAULT 'null'; -- JSON object or null
