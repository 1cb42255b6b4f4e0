"""What the console measures of the stores, and what it says while one of them is gone."""

from pathlib import Path

import psycopg
import pytest
import requests
from psycopg.rows import dict_row

from console.metrics.database import MOST_SUBSCRIPTIONS, SELECT_SUBSCRIPTIONS
from deploy.embedded.settings import Secrets
from deploy.embedded.valkey import JOURNAL, start_valkey
from schemas.journal.append import append_entry, connect_journal
from schemas.journal.envelope import Envelope, seal_envelope
from tests.integration.conftest import Query
from tests.integration.console_server import run_console
from tests.integration.door import ETHOCA_BODY
from tests.integration.downstream import subscribe
from tests.ports import free_port
from workers.intake.drain import drain
from workers.settings import Workshop

AUDITED = "alert_intake_books_audited_timestamp_seconds"
HIDDEN = "https://example.com/hook?token=hidden-word"


@pytest.fixture
def busy(workshop: Workshop) -> Workshop:
    """Return a workshop with a paused subscription to which one item is due, one rejection, and one entry waiting.

    And a tripped subscription, to which nothing is due.
    """
    subscribe(workshop, HIDDEN, state="paused", name="paused one")
    subscribe(workshop, HIDDEN, state="tripped", name="tripped one", events=("alert.updated",))
    with connect_journal(workshop.journal_url, 2.0) as client:

        def push(body: bytes) -> None:
            envelope = Envelope("ethoca", body)
            append_entry(client, workshop.configuration.journal, seal_envelope(envelope, workshop.keyring))

        push(ETHOCA_BODY)
        push(b'{"nothing": 1}')
        assert drain(workshop, "test", 1.0).entries == 2
        push(ETHOCA_BODY)
    return workshop


def test_stores_are_measured(
    busy: Workshop, environment: dict[str, str], intake_secrets: Secrets, tmp_path: Path
) -> None:
    """Journal, books, outbox, rejections and the state of subscriptions are told, by name and without a URL."""
    assert busy.database_url == environment["DATABASE_URL"]
    with run_console(environment, intake_secrets.console_token, tmp_path / "console") as console:
        text = console.ask("/metrics").text
    for line in (
        'alert_intake_store_up{store="journal"} 1.0',
        'alert_intake_store_up{store="postgres"} 1.0',
        'alert_intake_store_up{store="broker"} 1.0',
        "alert_intake_books_balanced 1.0",
        "alert_intake_books_missing_entries 0.0",
        "alert_intake_journal_orphaned_entries 0.0",
        'alert_intake_subscription_state{state="paused",subscription="paused one"} 1.0',
        'alert_intake_subscription_state{state="tripped",subscription="paused one"} 0.0',
        'alert_intake_subscription_state{state="active",subscription="paused one"} 0.0',
        'alert_intake_subscription_state{state="paused",subscription="tripped one"} 0.0',
        'alert_intake_subscription_state{state="tripped",subscription="tripped one"} 1.0',
        'alert_intake_subscription_state{state="active",subscription="tripped one"} 0.0',
        'alert_intake_outbox_due_items{subscription="paused one"} 1.0',
        'alert_intake_open_rejections{reason="no_alert_id"} 1.0',
        'alert_intake_open_rejections{reason="poisoned"} 0.0',
    ):
        assert line in text, (line, text)
    (age,) = [line for line in text.splitlines() if line.startswith("alert_intake_journal_oldest_entry_age_seconds ")]
    assert 0 < float(age.split()[1]) < 120
    assert "hidden-word" not in text


def test_of_many_subscriptions_those_in_trouble_are_told(busy: Workshop, query: Query) -> None:
    """Of more subscriptions than labels may have, none that is paused, tripped or failing is left out."""
    query(
        "INSERT INTO subscriptions (id, name, url, sealed)"
        " SELECT gen_random_uuid(), 'a' || n, %s, 'x' FROM generate_series(1, 300) n RETURNING 1",
        HIDDEN,
    )
    query("UPDATE subscriptions SET failures = 3 WHERE name = 'a99' RETURNING 1")
    with psycopg.connect(busy.database_url, row_factory=dict_row) as database:
        told = {row["name"] for row in database.execute(SELECT_SUBSCRIPTIONS).fetchall()}
    assert {"paused one", "tripped one", "a99"} < told
    assert len(told) == MOST_SUBSCRIPTIONS


@pytest.mark.usefixtures("busy")
def test_a_store_that_is_gone_is_told_of_and_hides_no_other(
    environment: dict[str, str], intake_secrets: Secrets, tmp_path: Path
) -> None:
    """Without the journal the rest is measured as ever, in time for whoever scrapes, and the books are not guessed."""
    gone = environment | {"JOURNAL_URL": f"redis://127.0.0.1:{free_port()}/0"}
    with run_console(gone, intake_secrets.console_token, tmp_path / "console") as console:
        answer = console.ask("/metrics")
        assert requests.get(console.url + "/metrics", timeout=10).status_code == 401
    assert answer.elapsed.total_seconds() < 10
    assert 'alert_intake_store_up{store="journal"} 0.0' in answer.text
    assert 'alert_intake_store_up{store="postgres"} 1.0' in answer.text
    assert 'alert_intake_open_rejections{reason="no_alert_id"} 1.0' in answer.text
    assert "alert_intake_books_balanced" not in answer.text
    assert f"{AUDITED} 0.0" in answer.text


def test_last_audit_is_told_while_the_journal_is_gone(
    environment: dict[str, str], intake_secrets: Secrets, engines_folder: Path, tmp_path: Path
) -> None:
    """When the books were last audited stays known without the journal, and whether they balance does not."""
    folder = engines_folder / tmp_path.name
    with start_valkey(folder, folder.with_suffix(".log"), JOURNAL) as journal:
        own = environment | {"JOURNAL_URL": journal.url}
        with run_console(own, intake_secrets.console_token, tmp_path / "console") as console:
            before = console.ask("/metrics").text
            journal.process.kill()
            journal.process.wait()
            after = console.ask("/metrics").text
    (audited,) = [line for line in before.splitlines() if line.startswith(AUDITED)]
    assert float(audited.split()[1]) > 0
    assert "alert_intake_books_balanced 1.0" in before
    assert audited in after.splitlines()
    assert "alert_intake_books_balanced" not in after
    assert 'alert_intake_store_up{store="journal"} 0.0' in after


def test_audit_that_fails_does_not_count_as_one(
    environment: dict[str, str], intake_secrets: Secrets, tmp_path: Path
) -> None:
    """Where both stores answer and the books cannot be read all the same, none were audited, and nothing balances."""
    with psycopg.connect(environment["DATABASE_URL"]) as database:
        database.execute("ALTER TABLE journals RENAME TO mislaid")
    with run_console(environment, intake_secrets.console_token, tmp_path / "console") as console:
        text = console.ask("/metrics").text
    assert 'alert_intake_store_up{store="postgres"} 1.0' in text
    assert f"{AUDITED} 0.0" in text
    assert "alert_intake_books_balanced" not in text
