-- The journal entry as which a rejection went through the journal again: with it the audit finds a replay that was lost.
ALTER TABLE rejections ADD COLUMN replayed_entry text;
CREATE INDEX rejections_replayed ON rejections (closed_at) WHERE state = 'replayed';
