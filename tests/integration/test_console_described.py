"""The console answers as it describes itself, whatever it is asked."""

import json
from collections import Counter
from pathlib import Path
from uuid import uuid4

import pytest
import requests

from schemas.journal.append import append_entry, connect_journal
from schemas.journal.envelope import Envelope, seal_envelope
from tests.integration.console_site import Site, run_site
from tests.integration.described import SHORT, ask_everything, close_answers, name_ids
from workers.intake.drain import drain
from workers.settings import load_workshop


def test_nothing_that_can_be_asked_is_a_fault(
    tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Right requests and wrong ones, on what is there and what is not: no 5xx, every answer of the described shape."""
    with run_site(tmp_path, request) as site:
        answered = ask_site(site, tmp_path, monkeypatch, *SHORT)
        assert answered.total() > 100
        assert {200, 400, 401} <= answered.keys()
        assert max(answered) < 500


def ask_site(site: Site, folder: Path, monkeypatch: pytest.MonkeyPatch, *options: str) -> Counter[int]:
    """Fill the console's database, ask everything, and return how often each status was answered."""
    for name, value in site.environment.items():
        monkeypatch.setenv(name, value)
    ids = fill(site)
    token = site.add_token(f"fuzz {uuid4()}", "operate")
    description = close_answers(requests.get(f"{site.client.url}/openapi.json", timeout=20).json())
    description = name_ids(description, ids)
    del description["paths"]["/v1/events"]  # a stream, which has no end
    found = ask_everything(description, site.client.url, folder, "--header", f"Authorization: Bearer {token}", *options)
    assert not found, found
    lines = [json.loads(line) for line in site.client.process.errors.read_text().splitlines() if line.startswith("{")]
    return Counter(line["status"] for line in lines if line["event"] == "answered")


def fill(site: Site) -> dict[str, list[str]]:
    """Put alerts, rejections, subscriptions and deliveries into the database; return their ids by path."""
    workshop = load_workshop()
    for number in range(20):
        terms = {"name": f"service {number}", "url": "https://service.example/hook", "events": ["*"]}
        headers = {"Authorization": f"Bearer {site.client.token}"}
        assert requests.post(f"{site.client.url}/v1/subscriptions", json=terms, headers=headers, timeout=20).ok
    with connect_journal(workshop.journal_url, 5.0) as journal:
        for number in range(30):
            payload = {"provider": "ETHOCA", "amount": "1.5"} | ({"providerId": f"A{number}"} if number % 3 else {})
            body = json.dumps({"event": "alert.created", "timestamp": "2026-11-20T12:00:00Z", "payload": payload})
            sealed = seal_envelope(Envelope("reseller", body.encode()), workshop.keyring)
            append_entry(journal, workshop.configuration.journal, sealed)
        while journal.xlen(workshop.configuration.journal.stream):
            drain(workshop, "drain@test/0", 0.3)
    tables = {"/v1/alerts": "alerts", "/v1/rejections": "rejections", "/v1/subscriptions": "subscriptions",
              "/v1/deliveries": "outbox"}  # fmt: skip
    return {
        path: [str(row["id"]) for row in site.database.execute(f"SELECT id FROM {table} LIMIT 40").fetchall()]  # noqa: S608 - the names of our tables
        for path, table in tables.items()
    }
