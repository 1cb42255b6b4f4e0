-- Alerts, and the books that prove that none was lost.
-- An alert's identity is unique here and nowhere else: (network, the network's own alert id).

CREATE TABLE identities (
    network           text NOT NULL,
    provider_alert_id text NOT NULL,
    alert_id          uuid NOT NULL,
    PRIMARY KEY (network, provider_alert_id)
);

CREATE TABLE alerts (
    id                  uuid PRIMARY KEY,
    network             text NOT NULL,
    provider_alert_id   text NOT NULL,
    source              text NOT NULL,
    kind                text NOT NULL,
    status              text NOT NULL,
    revision            integer NOT NULL,
    duplicates          integer NOT NULL,
    repaired            boolean NOT NULL,
    issuer              text,
    card_bin            text,
    card_last4          text,
    card_network        text,
    card_token          text,
    amount              numeric,
    currency            text,
    transaction_at      timestamptz,
    transaction_id      text,
    transaction_type    text,
    arn                 text,
    auth_code           text,
    merchant_id         text,
    merchant_name       text,
    merchant_descriptor text,
    merchant_order_id   text,
    mcc                 text,
    alerted_at          timestamptz,
    received_at         timestamptz NOT NULL,
    respond_by          timestamptz,
    related             uuid[] NOT NULL DEFAULT '{}',
    enrichment          jsonb NOT NULL,
    details             jsonb NOT NULL,
    problems            jsonb NOT NULL,
    -- Every content ever seen of this alert, by source, as keyed fingerprints: what makes a repetition a duplicate.
    seen                text[] NOT NULL,
    -- How far each source has spoken, and which door said what: what decides who may still change a field.
    standing            jsonb NOT NULL,
    changed_at          timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX alerts_received_at ON alerts (received_at, id);
CREATE INDEX alerts_merchant ON alerts (merchant_id, received_at);
CREATE INDEX alerts_provider_alert_id ON alerts (provider_alert_id);

-- One incarnation of the journal is one life of its stream: entry ids may recur in the next. `added` is the highest
-- count of entries ever read off it, so that the books can say how many a lost journal took with it; `base` is what
-- Redis had counted before this account was opened (0 for a new stream): the account is of `added - base` entries.
CREATE TABLE journals (
    incarnation   uuid PRIMARY KEY,
    base          bigint NOT NULL DEFAULT 0,
    added         bigint NOT NULL DEFAULT 0,
    first_seen_at timestamptz NOT NULL DEFAULT now(),
    last_seen_at  timestamptz NOT NULL DEFAULT now()
);

-- Running totals that survive retention, one row a consumer so that drains do not wait for each other.
CREATE TABLE totals (
    incarnation uuid NOT NULL,
    consumer    text NOT NULL,
    entries     bigint NOT NULL DEFAULT 0,
    stored      bigint NOT NULL DEFAULT 0,
    updated     bigint NOT NULL DEFAULT 0,
    duplicate   bigint NOT NULL DEFAULT 0,
    superseded  bigint NOT NULL DEFAULT 0,
    rejected    bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (incarnation, consumer)
);

-- The gate: an entry has an effect only in the transaction that inserts its receipt.
-- (entered_at, sequence) is the journal's entry id: milliseconds and counter.
CREATE TABLE receipts (
    entered_at  timestamptz NOT NULL,
    sequence    bigint NOT NULL,
    incarnation uuid NOT NULL,
    request_id  uuid,
    source      text,
    received_at timestamptz,
    settled_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (entered_at, sequence, incarnation)
) PARTITION BY RANGE (entered_at);
CREATE INDEX receipts_request_id ON receipts (request_id);

-- Exactly one ending for every alert of an entry.
CREATE TABLE endings (
    entered_at   timestamptz NOT NULL,
    sequence     bigint NOT NULL,
    incarnation  uuid NOT NULL,
    item         integer NOT NULL,
    ending       text NOT NULL CHECK (ending IN ('stored', 'updated', 'duplicate', 'superseded', 'rejected')),
    alert_id     uuid,
    rejection_id uuid,
    PRIMARY KEY (entered_at, sequence, incarnation, item)
) PARTITION BY RANGE (entered_at);
CREATE INDEX endings_alert_id ON endings (alert_id);

-- The body as it was pushed, sealed as it was in the journal (bound to its source and request id).
CREATE TABLE raw_bodies (
    entered_at  timestamptz NOT NULL,
    sequence    bigint NOT NULL,
    incarnation uuid NOT NULL,
    source      text NOT NULL,
    request_id  uuid NOT NULL,
    sealed      bytea NOT NULL,
    PRIMARY KEY (entered_at, sequence, incarnation)
) PARTITION BY RANGE (entered_at);

-- What each message changed in its alert.
CREATE TABLE revisions (
    changed_at timestamptz NOT NULL,
    alert_id   uuid NOT NULL,
    revision   integer NOT NULL,
    source     text NOT NULL,
    request_id uuid,
    changes    jsonb NOT NULL,
    PRIMARY KEY (changed_at, alert_id, revision)
) PARTITION BY RANGE (changed_at);
CREATE INDEX revisions_alert_id ON revisions (alert_id);

-- Entries, or items of a list, that ended without becoming an alert. They stay until someone has dealt with them.
CREATE TABLE rejections (
    id          uuid PRIMARY KEY,
    entered_at  timestamptz NOT NULL,
    sequence    bigint NOT NULL,
    incarnation uuid NOT NULL,
    item        integer NOT NULL,
    source      text,
    request_id  uuid,
    received_at timestamptz,
    reason      text NOT NULL,
    why         text NOT NULL,
    -- Sealed anew, bound to the rejection's own id.
    sealed      bytea,
    state       text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'replayed', 'discarded')),
    note        text,
    rejected_at timestamptz NOT NULL DEFAULT now(),
    closed_at   timestamptz
);
CREATE INDEX rejections_open ON rejections (rejected_at, id) WHERE state = 'open';
