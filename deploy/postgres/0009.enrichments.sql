-- Alerts whose remote enrichers have yet to be asked. Nothing waits for these rows for ever: the outbox items that they
-- hold back fall due by themselves, whether or not anybody takes these.
CREATE TABLE enrichments (
    alert_id   uuid PRIMARY KEY,
    attempts   integer NOT NULL DEFAULT 0,
    -- While a row is leased it is due again only when the lease ends: a worker that dies loses nothing.
    due_at     timestamptz NOT NULL DEFAULT now(),
    lease      uuid,
    give_up_at timestamptz NOT NULL
);
CREATE INDEX enrichments_due ON enrichments (due_at);

-- Held: due only when the alert is enriched, or when `due_at` comes, whichever is first.
ALTER TABLE outbox ADD COLUMN held boolean NOT NULL DEFAULT false;
