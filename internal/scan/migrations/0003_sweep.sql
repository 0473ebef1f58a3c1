-- Who needs a result or a document is asked when those that nobody does are swept.
CREATE INDEX scan_result ON scan (result_id) WHERE result_id IS NOT NULL;
CREATE INDEX scan_sbom ON scan (sbom_id) WHERE sbom_id IS NOT NULL;
CREATE INDEX scan_finished ON scan (finished_at, id) WHERE finished_at IS NOT NULL;
