-- Whom an event is told to beside those who see all nodes: '*' for everybody, else
-- those who see the node of this id.
ALTER TABLE event ADD COLUMN audience TEXT NOT NULL DEFAULT '';
UPDATE event SET audience = subject WHERE substr(type, 1, 5) = 'node.';
UPDATE event SET audience = '*' WHERE substr(type, 1, 5) = 'feed.';
