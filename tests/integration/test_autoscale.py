"""Pools under Celery's own `--autoscale`: what docs/scaling.md says of each is so, and each does its work."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from schemas.journal.append import append_entry, connect_journal
from schemas.journal.envelope import Envelope, seal_envelope
from tests.gunicorn import ROOT, wait_for
from tests.integration.conftest import Query
from tests.integration.door import ETHOCA_BODY
from tests.integration.downstream import Receiver, subscribe
from tests.integration.orders import ORDER, Orders, run_orders
from tests.integration.workers import run_worker
from workers.settings import Workshop

AUTOSCALE = "--autoscale=2,1"
DOCUMENT = (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")


@pytest.fixture
def orders() -> Iterator[Orders]:
    """Run an order service."""
    with run_orders() as orders:
        yield orders


def test_autoscaled_pools_do_their_work(
    workshop: Workshop,
    environment: dict[str, str],
    configuration_file: Path,
    orders: Orders,
    receiver: Receiver,
    query: Query,
    tmp_path: Path,
) -> None:
    """An alert is stored, enriched and delivered by pools that may grow from one process to two, and all of them do."""
    with configuration_file.open("a") as configuration:
        configuration.write(f'\n[[enrichment.lookups]]\nname = "orders"\nurl = "{orders.url}"\nallow_http = true\n')
    subscribe(workshop, receiver.url)
    with ExitStack() as running:
        workers = [
            running.enter_context(
                run_worker(environment, tmp_path / f"{queue}.log", "-Q", queue, AUTOSCALE, "-n", f"{queue}@test")
            )
            for queue in ("drain", "enrich", "forward")
        ]
        with connect_journal(workshop.journal_url, 5.0) as client:
            envelope = seal_envelope(Envelope("ethoca", ETHOCA_BODY), workshop.keyring)
            append_entry(client, workshop.configuration.journal, envelope)
        wait_for(lambda: receiver.received, 60)
        for worker in workers:
            wait_for(partial(worker.lines, "Scaling up 1 processes."), 30)
    (row,) = query("SELECT enrichment->'orders'->'order' AS found FROM alerts")
    assert row["found"] == ORDER
    assert [item["state"] for item in query("SELECT state FROM outbox")] == ["delivered"]


def test_threads_that_cannot_grow_say_so(environment: dict[str, str]) -> None:
    """With threads a worker that is to be autoscaled ends at once, with one line, instead of at its first tick."""
    command = [sys.executable, "-m", "celery", "-A", "workers.app", "worker", "-Q", "forward", "-P", "threads"]
    ended = subprocess.run(
        [*command, AUTOSCALE], cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert ended.returncode == 1
    assert "--autoscale needs -P prefork" in ended.stderr
    assert "Traceback" not in ended.stderr + ended.stdout


def test_documented_autoscaling_is_of_processes() -> None:
    """Whatever command the document gives with --autoscale has a pool that can grow; there is one for each queue."""
    lines = [line for line in DOCUMENT.splitlines() if re.match("celery .*--autoscale", line)]
    assert [re.findall("-Q (\\w+) -P (\\w+)", line) for line in lines] == [
        [("drain", "prefork")],
        [("forward", "prefork")],
        [("enrich", "prefork")],
    ]
