-- Which alerts speak of one transaction. A key is a fingerprint of what names a transaction: its ARN, or the card (BIN and
-- last four), the amount, the currency, the day and the merchant. Claiming a key is one statement: two drains that store
-- two alerts of one transaction at the same time wait for each other there, and the later one sees both.
CREATE TABLE transactions (
    key       bytea PRIMARY KEY,
    alert_ids uuid[] NOT NULL
);
