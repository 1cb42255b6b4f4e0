"""What a worker shows of itself: counts of all its processes, also of those that died, and whether it lives."""

import os
import re
import signal
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from schemas.journal.append import append_entry, connect_journal
from schemas.journal.envelope import Envelope, seal_envelope
from tests.gunicorn import wait_for
from tests.integration.door import ETHOCA_BODY
from tests.integration.workers import Worker, run_worker
from tests.ports import free_port
from workers.settings import Workshop


@dataclass(frozen=True, slots=True)
class Watched:
    """A worker with a listener."""

    worker: Worker
    url: str
    folder: Path

    def read(self, name: str, **labels: str) -> float:
        """Return one sample, 0 when it is not there."""
        text = requests.get(self.url + "/metrics", timeout=10).text
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name == name and sample.labels == labels:
                    return sample.value
        return 0.0

    def children(self) -> list[int]:
        """Return the pids of the pool's processes."""
        pid = self.worker.popen.pid
        found = []
        for task in Path(f"/proc/{pid}/task").iterdir():
            with suppress(FileNotFoundError, ProcessLookupError):  # a thread that has ended meanwhile
                found += [int(child) for child in (task / "children").read_text().split()]
        return found


@pytest.fixture
def watched(environment: dict[str, str], tmp_path: Path) -> Iterator[Watched]:
    """Run a drain worker of two processes that is told nothing but where to listen."""
    bind = f"127.0.0.1:{free_port()}"
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    told = environment | {"WORKER_METRICS_BIND": bind, "TMPDIR": str(scratch)}
    with ExitStack() as running:
        options = ("-Q", "drain", "-P", "prefork", "-c", "2", "-n", "drain@test")
        worker = running.enter_context(run_worker(told, tmp_path / "worker.log", *options))
        wait_for(lambda: worker.lines("metrics_served"))
        yield Watched(worker, f"http://{bind}", scratch / f"alert-intake-metrics-{re.sub('[.:]', '-', bind)}")


def push(workshop: Workshop, alert_id: str) -> None:
    """Append one entry to the journal, as the door does."""
    with connect_journal(workshop.journal_url, 2.0) as client:
        body = ETHOCA_BODY.replace(b"A4IM9K2MIYL9F2BPF9TWUIXTU", alert_id.encode())
        append_entry(client, workshop.configuration.journal, seal_envelope(Envelope("ethoca", body), workshop.keyring))


def test_counts_survive_the_processes_that_made_them(watched: Watched, workshop: Workshop) -> None:
    """However often processes of the pool are killed, nothing that was counted is lost, and files do not multiply."""

    def stored() -> float:
        return watched.read("alert_intake_endings_total", ending="stored")

    for kill in range(3):
        push(workshop, f"ALERT{kill}")
        wait_for(lambda kill=kill: stored() == kill + 1, 30)  # type: ignore[misc]  # a default binds the present value
        before = watched.children()
        for child in before:
            os.kill(child, signal.SIGKILL)
        wait_for(lambda before=before: len(set(watched.children()) - set(before)) >= 2, 30)  # type: ignore[misc]  # as above
    push(workshop, "LAST")
    wait_for(lambda: stored() == 4, 30)
    assert watched.read("alert_intake_batch_entries_count") == 4
    assert watched.read("alert_intake_alerts_total", provider="ethoca", kind="customer_dispute") == 4
    assert watched.read("alert_intake_station_seconds_count", station="settle") == 4
    counters = sorted(file.name for file in watched.folder.glob("counter_*.db"))
    assert len(counters) <= 5, counters  # the worker, its two processes, and two that came before others were gone
    assert watched.folder.stat().st_mode & 0o777 == 0o700


def test_rejections_count_by_reason_and_begin_at_zero(watched: Watched, workshop: Workshop) -> None:
    """A rejection is an increase of a counter that was there before it, and so is a rare task that fails."""
    text = requests.get(watched.url + "/metrics", timeout=10).text
    assert 'alert_intake_ticks_total{outcome="failed",task="audit"} 0.0' in text
    assert 'alert_intake_rejections_total{reason="poisoned"} 0.0' in text
    push(workshop, "")
    wait_for(lambda: watched.read("alert_intake_rejections_total", reason="no_alert_id") == 1)


def test_livez_tells_a_worker_that_stands_still(watched: Watched) -> None:
    """It lives while its clock ticks; other paths are not found."""
    answer = requests.get(watched.url + "/livez", timeout=10)
    assert (answer.status_code, answer.json()) == (200, {"alive": True})
    assert requests.get(watched.url + "/", timeout=10).status_code == 404
