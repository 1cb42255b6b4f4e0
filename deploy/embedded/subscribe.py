"""Subscribe the local receiver to every event. The one place outside the console that writes a subscription."""

import psycopg
from uuid_utils.compat import uuid7

from schemas.downstream.subscription import Credentials, seal_credentials
from schemas.keyring import Keyring

NAME = "local-receiver"
EVERYTHING = ["*"]


def subscribe_receiver(database_url: str, keyring: Keyring, url: str, secret: str) -> None:
    """Make the subscription, or bring its address and secret up to date. Whether it is paused stays as it was."""
    credentials = Credentials(secret=secret)
    with psycopg.connect(database_url) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [NAME])
        row = connection.execute("SELECT id FROM subscriptions WHERE name = %s", [NAME]).fetchone()
        own_id = str(row[0]) if row else str(uuid7())
        connection.execute(
            """
            INSERT INTO subscriptions (id, name, url, events, sealed, description)
            VALUES (%s, %s, %s, %s, %s, 'The receiver of the local stack')
            ON CONFLICT (id) DO UPDATE SET url = excluded.url, sealed = excluded.sealed
            """,
            [own_id, NAME, url, EVERYTHING, seal_credentials(credentials, own_id, keyring)],
        )
