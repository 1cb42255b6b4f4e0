"""Fill a database as if it had run for a month: alerts, what they came from, and what was delivered of them."""

import psycopg

# Like real ones: many merchants, few of whom have most; all open but some; deadlines of which few are still ahead.
ALERTS = """
    INSERT INTO alerts (id, network, provider_alert_id, source, kind, status, revision, duplicates, repaired, issuer,
                        card_bin, card_last4, card_network, amount, currency, transaction_at, transaction_id,
                        transaction_type, arn, auth_code, merchant_id, merchant_name, merchant_descriptor,
                        merchant_order_id, mcc, alerted_at, received_at, respond_by, enrichment, details, problems,
                        seen, standing)
    SELECT gen_random_uuid(), CASE WHEN n %% 5 = 0 THEN 'verifi' ELSE 'ethoca' END, 'BENCH' || lpad(n::text, 20, '0'),
           'ethoca', (ARRAY['customer_dispute', 'customer_dispute', 'confirmed_fraud', 'other'])[1 + n %% 4],
           CASE WHEN n %% 10 < 7 THEN 'open' WHEN n %% 10 = 7 THEN 'refunded' ELSE 'resolved' END,
           1, 0, false, 'EXAMPLE BANK', '555555', lpad((n::bigint * 7919 %% 10000)::text, 4, '0'), 'mastercard',
           (n %% 50000) / 100.0, 'USD', received_at - interval '2 days', 'TX' || n, 'eCommerce',
           '7518605' || lpad(n::text, 16, '0'), '735364', 'M' || floor(power(random(), 3) * 500)::integer,
           'Example Store', 'EXAMPLE*STORE 8005550100', 'ORDER-' || n, '5732', received_at, received_at,
           received_at + interval '24 hours', '{"card_network": "mastercard"}', '{"type": "customerdispute_alert"}',
           '[]', ARRAY[md5(n::text)], '{"ethoca": {"last": "2026-11-20T00:00:00.000Z"}}'
    FROM (SELECT n, now() - make_interval(secs => 30 * 86400 * (1 - n::float8 / %(alerts)s)) AS received_at
          FROM generate_series(1, %(alerts)s) n) made
"""
EVENTS = """
    INSERT INTO events (id, type, alert_id, revision, alert, created_at)
    SELECT gen_random_uuid(), 'alert.created', id, 1, '{}', received_at FROM alerts
"""
SUBSCRIPTION = """
    INSERT INTO subscriptions (id, name, url, state, sealed)
    SELECT gen_random_uuid(), 'service-' || n, 'https://service-' || n || '.example/', 'paused', ''
    FROM generate_series(1, 5) n
"""
OUTBOX = """
    INSERT INTO outbox (id, event_id, subscription_id, alert_id, state, attempts, due_at, created_at, ended_at)
    SELECT (lpad(to_hex((extract(epoch FROM e.created_at) * 1000)::bigint), 12, '0')
            || '-7000-8000-' || left(md5(e.id::text), 12))::uuid, e.id,
           (SELECT id FROM subscriptions WHERE name = 'service-1'), e.alert_id,
           CASE WHEN e.position %% 500 = 0 THEN 'given_up' WHEN e.position %% 100 = 1 THEN 'due' ELSE 'delivered' END,
           1, e.created_at, e.created_at, e.created_at
    FROM events e
"""
ATTEMPTS = """
    INSERT INTO attempts (attempted_at, outbox_id, subscription_id, alert_id, number, status, milliseconds, error)
    SELECT created_at, id, subscription_id, alert_id, 1, CASE WHEN state = 'delivered' THEN 200 ELSE 503 END, 12.5, NULL
    FROM outbox
"""
RECEIPTS = """
    INSERT INTO receipts (entered_at, sequence, incarnation, request_id, source, received_at, settled_at)
    SELECT received_at, position, %(incarnation)s, gen_random_uuid(), 'ethoca', received_at, received_at FROM alerts
"""
ENDINGS = """
    INSERT INTO endings (entered_at, sequence, incarnation, item, ending, alert_id)
    SELECT received_at, position, %(incarnation)s, 0, 'stored', id FROM alerts
"""
TOTALS = """
    INSERT INTO totals (incarnation, consumer, entries, stored)
    VALUES (%(incarnation)s, 'bench', %(alerts)s, %(alerts)s)
"""
REJECTIONS = """
    INSERT INTO rejections (id, entered_at, sequence, incarnation, item, source, request_id, received_at, reason, why,
                            state, rejected_at)
    SELECT gen_random_uuid(), now(), n, %(incarnation)s, 0, 'ethoca', gen_random_uuid(), now(), 'no_alert_id',
           'it has no usable alert id', CASE WHEN n %% 10 = 0 THEN 'open' ELSE 'discarded' END,
           now() - make_interval(secs => n)
    FROM generate_series(1, %(alerts)s / 20) n
"""
STEPS = (ALERTS, EVENTS, SUBSCRIPTION, OUTBOX, ATTEMPTS, RECEIPTS, ENDINGS, TOTALS, REJECTIONS)
INCARNATION = "0b6d6f2e-0000-4000-8000-000000000000"


def prefill(database_url: str, alerts: int) -> None:
    """Store so many alerts with all that belongs to them, and let PostgreSQL know of it. A million takes minutes."""
    with psycopg.connect(database_url) as database:
        database.execute("SET synchronous_commit = off")
        for step in STEPS:
            if "%(" in step or "%%" in step:
                database.execute(step.encode(), {"alerts": alerts, "incarnation": INCARNATION}, prepare=False)
            else:
                database.execute(step.encode())
    with psycopg.connect(database_url, autocommit=True) as database:
        database.execute("VACUUM (ANALYZE)")
