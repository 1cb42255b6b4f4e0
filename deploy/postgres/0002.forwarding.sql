-- Forwarding: who wants what, what is due to whom, and every attempt to deliver it.

CREATE TABLE subscriptions (
    id          uuid PRIMARY KEY,
    name        text NOT NULL UNIQUE,
    url         text NOT NULL,
    events      text[] NOT NULL DEFAULT '{alert.created,alert.resolved}',
    state       text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'paused')),
    -- Credentials and signing secrets, sealed and bound to the subscription's id.
    sealed      bytea NOT NULL,
    description text NOT NULL DEFAULT '',
    created_at  timestamptz NOT NULL DEFAULT now()
);

-- What happened, once, as the alert stood then (a column for each of `alerts`, as JSON).
CREATE TABLE events (
    id         uuid PRIMARY KEY,
    type       text NOT NULL,
    alert_id   uuid NOT NULL,
    revision   integer NOT NULL,
    alert      jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX events_alert_id ON events (alert_id);

-- One event due to one subscription. Its id is the webhook-id, the same over all attempts.
CREATE TABLE outbox (
    id              uuid PRIMARY KEY,
    position        bigint GENERATED ALWAYS AS IDENTITY,
    event_id        uuid NOT NULL REFERENCES events (id),
    subscription_id uuid NOT NULL REFERENCES subscriptions (id) ON DELETE CASCADE,
    alert_id        uuid NOT NULL,
    state           text NOT NULL DEFAULT 'due' CHECK (state IN ('due', 'delivered', 'given_up')),
    attempts        integer NOT NULL DEFAULT 0,
    -- While an item is leased it is due again only when the lease ends: a sender that dies loses nothing.
    due_at          timestamptz NOT NULL DEFAULT now(),
    lease           uuid,
    created_at      timestamptz NOT NULL DEFAULT now(),
    ended_at        timestamptz
);
CREATE INDEX outbox_due ON outbox (due_at, position) WHERE state = 'due';
CREATE INDEX outbox_order ON outbox (subscription_id, alert_id, position) WHERE state = 'due';
CREATE INDEX outbox_alert_id ON outbox (alert_id);

-- Every attempt: status is the HTTP status, or null when there was no answer.
CREATE TABLE attempts (
    attempted_at    timestamptz NOT NULL,
    outbox_id       uuid NOT NULL,
    subscription_id uuid NOT NULL,
    alert_id        uuid NOT NULL,
    number          integer NOT NULL,
    status          integer,
    milliseconds    double precision NOT NULL,
    error           text,
    next_at         timestamptz,
    PRIMARY KEY (attempted_at, outbox_id, number)
) PARTITION BY RANGE (attempted_at);
CREATE INDEX attempts_outbox_id ON attempts (outbox_id);
