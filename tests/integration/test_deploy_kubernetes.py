"""What the autoscaler and the guide ask of the database is answered by it."""

import os
import re
import subprocess
import sys

import psycopg
import yaml

from tests.kubernetes import FOLDER, GUIDE

SCALING = FOLDER / "scaling.yaml"


def test_query_of_the_autoscaler_counts_what_is_due(database_url: str) -> None:
    """KEDA's query fits the tables, and counts what further workers could deliver now."""
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
        assert database.execute(query).fetchall() == [(3 + 3 + 1 + 2,)]


# One that is to wait, one that is being sent and those of a paused subscription do not count, nor do those that further
# workers could not make: of a service that asks for time, and more than one of a failing or two of a metered one.
DUE = """
    INSERT INTO subscriptions (id, name, url, sealed, state, asked_until, failures, rate_limit)
    SELECT gen_random_uuid(), name, 'https://orders.example', '', state, now() + asked, failures, rate_limit
    FROM (VALUES ('free', 'active', null::interval, 0, null::float), ('paused', 'paused', null, 0, null),
                 ('asks', 'active', '1 h', 0, 9), ('asked', 'active', '-1 s', 0, null),
                 ('fails', 'active', null, 3, 9), ('metered', 'active', null, 0, 1.5)
         ) AS given (name, state, asked, failures, rate_limit);
    INSERT INTO events (id, type, alert_id, revision, alert)
    VALUES ('00000000-0000-0000-0000-000000000007', 'alert.created', gen_random_uuid(), 1, '{}');
    INSERT INTO outbox (id, event_id, subscription_id, alert_id, due_at, lease)
    SELECT gen_random_uuid(), '00000000-0000-0000-0000-000000000007', s.id, gen_random_uuid(), now() + wait, lease
    FROM subscriptions s CROSS JOIN (VALUES
        ('-1 s'::interval, null::uuid), ('-2 s', null), ('0 s', null), ('1 h', null),
        ('-1 s', '00000000-0000-0000-0000-000000000009')) AS given (wait, lease)
"""


def test_guide_asks_the_database_what_comes_in(database_url: str) -> None:
    """What stands for psql in the console's pod runs what it reads, shows the rows, and keeps what was changed."""
    (program,) = re.findall(r"^SQL='(.*?)'$", GUIDE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)

    def ask(statement: str) -> str:
        environment = os.environ | {"DATABASE_URL": database_url}
        command = [sys.executable, "-c", program]
        return subprocess.run(
            command, input=statement, env=environment, capture_output=True, text=True, check=True
        ).stdout

    assert ask("SELECT id, state FROM subscriptions") == "SELECT 0\n"
    assert ask("CREATE TABLE kept (number integer)") == "CREATE TABLE\n"
    assert ask("INSERT INTO kept VALUES (1), (2)") == "INSERT 0 2\n"
    assert ask("SELECT number FROM kept ORDER BY number") == "(1,)\n(2,)\nSELECT 2\n"
