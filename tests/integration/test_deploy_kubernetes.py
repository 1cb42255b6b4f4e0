"""What the autoscaler asks of the database is answered by it, and cheaply."""

from pathlib import Path

import psycopg
import yaml

SCALING = Path(__file__).resolve().parents[2] / "deploy" / "kubernetes" / "scaling.yaml"


def test_query_of_the_autoscaler_counts_what_is_due(database_url: str) -> None:
    """KEDA's query fits the tables, gives one number, and is bounded."""
    manifests = yaml.safe_load_all(SCALING.read_text(encoding="utf-8"))
    (query,) = (
        trigger["metadata"]["query"]
        for manifest in manifests
        if manifest["kind"] == "ScaledObject"
        for trigger in manifest["spec"]["triggers"]
        if trigger["type"] == "postgresql"
    )
    with psycopg.connect(database_url) as database:
        assert database.execute(query).fetchall() == [(0,)]
        database.execute(DUE)
        assert database.execute(query).fetchall() == [(3,)]


# One that is to wait, one that is being sent and one of a paused subscription do not count.
DUE = """
    INSERT INTO subscriptions (id, name, url, sealed, state) VALUES
        ('00000000-0000-0000-0000-000000000001', 'orders', 'https://orders.example', '', 'active'),
        ('00000000-0000-0000-0000-000000000002', 'stock', 'https://stock.example', '', 'paused');
    INSERT INTO events (id, type, alert_id, revision, alert)
    VALUES ('00000000-0000-0000-0000-000000000003', 'alert.created', gen_random_uuid(), 1, '{}');
    INSERT INTO outbox (id, event_id, subscription_id, alert_id, due_at, lease)
    SELECT gen_random_uuid(), '00000000-0000-0000-0000-000000000003', subscription::uuid, gen_random_uuid(),
           now() + wait::interval, lease::uuid
    FROM (VALUES ('00000000-0000-0000-0000-000000000001', '-1 s', null),
                 ('00000000-0000-0000-0000-000000000001', '-2 s', null),
                 ('00000000-0000-0000-0000-000000000001', '0 s', null),
                 ('00000000-0000-0000-0000-000000000001', '1 h', null),
                 ('00000000-0000-0000-0000-000000000001', '-1 s', '00000000-0000-0000-0000-000000000009'),
                 ('00000000-0000-0000-0000-000000000002', '-1 s', null)) AS given (subscription, wait, lease)
"""
