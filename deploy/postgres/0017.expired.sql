-- What may still be enriched begins where giving up begins to lie ahead: however many alerts nobody has asked about in
-- time, a lease steps over none of them. Whether one is due is read off the index, too.
CREATE INDEX enrichments_give_up ON enrichments (give_up_at, due_at);
