"""What the console measures of the stores, and what it says while one of them is gone."""

from pathlib import Path

import pytest
import requests

from deploy.embedded.settings import Secrets
from schemas.envelope import Envelope, seal_envelope
from schemas.journal import append_entry, connect_journal
from tests.integration.conftest import Query
from tests.integration.console_server import run_console
from tests.integration.door import ETHOCA_BODY
from tests.integration.downstream import subscribe
from tests.ports import free_port
from workers.intake.pipeline import drain
from workers.settings import Workshop

HIDDEN = "https://example.com/hook?token=hidden-word"


@pytest.fixture
def busy(workshop: Workshop) -> Workshop:
    """Return a workshop with a paused subscription to which one item is due, one rejection, and one entry waiting."""
    subscribe(workshop, HIDDEN, state="paused")
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
    busy: Workshop, environment: dict[str, str], intake_secrets: Secrets, query: Query, tmp_path: Path
) -> None:
    """Journal, books, outbox, rejections and the state of subscriptions are told, by name and without a URL."""
    ((name,),) = (row.values() for row in query("SELECT name FROM subscriptions"))
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
        f'alert_intake_subscription_state{{state="paused",subscription="{name}"}} 1.0',
        f'alert_intake_subscription_state{{state="active",subscription="{name}"}} 0.0',
        f'alert_intake_outbox_due_items{{subscription="{name}"}} 1.0',
        'alert_intake_open_rejections{reason="no_alert_id"} 1.0',
        'alert_intake_open_rejections{reason="poisoned"} 0.0',
    ):
        assert line in text, (line, text)
    (age,) = [line for line in text.splitlines() if line.startswith("alert_intake_journal_oldest_entry_age_seconds ")]
    assert 0 < float(age.split()[1]) < 120
    assert "hidden-word" not in text


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
    assert "alert_intake_books" not in answer.text
