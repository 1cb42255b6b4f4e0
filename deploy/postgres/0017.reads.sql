-- What is read of much, read alone.

-- What may still be enriched begins where giving up begins to lie ahead: however many alerts nobody has asked about in
-- time, a lease steps over none of them. Whether one is due is read off the index, too.
CREATE INDEX enrichments_give_up ON enrichments (give_up_at, due_at);

-- The latest messages of each ending that an alert had: however often it was repeated, the others are found.
CREATE INDEX endings_alert ON endings (alert_id, ending, entered_at);
DROP INDEX endings_alert_id;
