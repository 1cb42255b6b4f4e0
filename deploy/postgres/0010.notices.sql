-- Notices: events about the intake itself (intake.*), which go out through the same outbox. And links for alerts that were
-- stored before there were any (0008.links.sql).

-- What is told about no alert has no alert_id and no revision; `events.alert` then holds its payload.
ALTER TABLE events ALTER COLUMN alert_id DROP NOT NULL, ALTER COLUMN revision DROP NOT NULL;
ALTER TABLE outbox ALTER COLUMN alert_id DROP NOT NULL;
ALTER TABLE attempts ALTER COLUMN alert_id DROP NOT NULL;

-- Of an alert that nears its deadline is told once. Only those not told of, and still open, are in the index: what is
-- in the window is a handful at any time, however many alerts there are.
ALTER TABLE alerts ADD COLUMN expiry_told_at timestamptz;
CREATE INDEX alerts_expiring ON alerts (respond_by)
    WHERE expiry_told_at IS NULL AND status IN ('new', 'open', 'processing');

-- What happened to a subscription is told once, too. What happened before this table knew of it is not told any more.
ALTER TABLE subscription_log ADD COLUMN told boolean NOT NULL DEFAULT true;
ALTER TABLE subscription_log ALTER COLUMN told SET DEFAULT false;
CREATE INDEX subscription_log_untold ON subscription_log (id) WHERE NOT told;

-- Accounts that do not balance, as they were told of. A row goes when its account balances again.
CREATE TABLE imbalances (
    incarnation uuid PRIMARY KEY,
    missing     bigint NOT NULL,
    orphaned    bigint NOT NULL,
    told_at     timestamptz NOT NULL DEFAULT now()
);

-- Work over what was stored before, in the order of `alerts.position`: done up to `done`, wanted up to `until`.
CREATE TABLE backfills (
    name        text PRIMARY KEY,
    done        bigint NOT NULL DEFAULT 0,
    until       bigint NOT NULL,
    finished_at timestamptz
);
INSERT INTO backfills (name, until) SELECT 'links', last_position();
