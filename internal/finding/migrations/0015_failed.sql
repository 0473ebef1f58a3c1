-- A re-match that can go no further is 'failed', and says why. It is tried again, and
-- 'complete' once it can be.
ALTER TABLE rematch ADD COLUMN error TEXT NOT NULL DEFAULT '';
