-- What the pages for people ask, answered from an index however many alerts there are.

-- Every choice of network, kind and status, in both orders of the list: the latest first, the soonest deadline first.
-- There are few of these triples; the list takes as many as it shows of each, and merges them.
CREATE INDEX alerts_newest ON alerts (network, kind, status, position);
CREATE INDEX alerts_soonest ON alerts (network, kind, status, respond_by, position) WHERE respond_by IS NOT NULL;

-- What somebody on the phone can name.
CREATE INDEX alerts_arn ON alerts (arn, position) WHERE arn IS NOT NULL;
CREATE INDEX alerts_order ON alerts (merchant_order_id, position) WHERE merchant_order_id IS NOT NULL;
CREATE INDEX alerts_last4 ON alerts (card_last4, position) WHERE card_last4 IS NOT NULL;
CREATE INDEX alerts_transaction ON alerts (transaction_id, position) WHERE transaction_id IS NOT NULL;
DROP INDEX alerts_merchant;
CREATE INDEX alerts_merchant ON alerts (merchant_id, position);

-- Rejections of every state, the latest first.
CREATE INDEX rejections_latest ON rejections (rejected_at, id);

-- How things stood every few seconds of the last hours: what the plots are drawn from. Counters are running totals, so
-- that a sample that was missed costs detail and nothing else; attempts are counted since the sample before.
CREATE TABLE samples (
    at          timestamptz PRIMARY KEY,
    -- Of the journal; null when it did not answer. `oldest`: the age of its oldest entry in seconds.
    incarnation uuid,
    added       bigint,
    entries     bigint,
    oldest      double precision,
    stored      bigint NOT NULL,
    rejected    bigint NOT NULL,
    delivered   bigint NOT NULL,
    failed      bigint NOT NULL,
    -- The seconds that `delivered` and `failed` are counted over.
    seconds     double precision NOT NULL
);
