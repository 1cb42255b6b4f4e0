"""Limits hold for the door as a whole: over all its worker processes, killed ones included."""

import gzip
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import requests

from deploy.embedded.engine import Server
from schemas.telemetry.sightings import read_sightings
from tests.conftest import CertificateFiles
from tests.gunicorn import Process, run_door, run_platform, wait_for
from tests.integration.door import ETHOCA_BODY, Equipment, Sender, basic, equip
from tests.integration.processes import holds, workers

WORKERS = 3


@pytest.fixture
def equipment(tmp_path: Path, certificates: CertificateFiles, journal_server: Server) -> Equipment:
    """Configure a door on an empty journal."""
    own = equip(tmp_path / "door", certificates, journal_server.url)
    own.empty_journal()
    return own


@contextmanager
def limited(equipment: Equipment, tmp_path: Path, *settings: str, source: str = "") -> Iterator[Process]:
    """Run a door of several processes with these settings in [door], and those of the source `ethoca`."""
    table = "\n".join(["[door]", *settings, "", "[sealing]"])
    equipment.configure(("[sealing]", table), ('name = "ethoca"', f'name = "ethoca"\n{source}'))
    with run_door(equipment.environment, tmp_path / "log", workers=WORKERS) as door:
        yield door


def push_many(sender: Sender, pushes: int) -> Counter[int]:
    """Push on new connections, several at a time, so that all processes take part; return what was answered."""
    with ThreadPoolExecutor(6) as pool:
        return Counter(answer.status for answer in pool.map(lambda _: sender.push(), range(pushes)))


def test_failed_authentications_over_all_processes(equipment: Equipment, tmp_path: Path) -> None:
    """So many failures pass as are allowed, not so many for each process, and a killed process forgets none of them."""
    with limited(equipment, tmp_path, "failed_authentications_per_minute = 20") as door:
        right = equipment.ethoca(door)
        wrong = replace(right, headers=basic("ethoca", "wrong"))
        assert push_many(wrong, 15) == {401: 15}
        victims = workers(door)
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
        wait_for(lambda: len(workers(door)) == 2 * WORKERS)
        assert [wrong.push().status for _ in range(5)] == [401] * 5
        assert push_many(wrong, 30) == {429: 30}
        answer = wrong.push()
        assert 1 <= int(answer.headers["Retry-After"]) <= 61
        assert push_many(right, 12) == {200: 12}


def test_rate_of_a_source_over_all_processes(equipment: Equipment, tmp_path: Path) -> None:
    """More pushes than agreed are 429 with Retry-After, also while a process hangs, and pass when it is their time."""
    with limited(equipment, tmp_path, source="pushes_per_second = 0.6") as door:
        sender = equipment.ethoca(door)
        first = push_many(sender, 6)
        assert first == {200: 6}
        with closing(sender.connect()) as kept:
            own = sender.push(connection=kept)
            hanging = min(workers(door) - {holds(door, kept.sock)})
            os.kill(hanging, signal.SIGSTOP)
            try:
                answers = [own, *(sender.push(connection=kept) for _ in range(20))]
            finally:
                os.kill(hanging, signal.SIGCONT)
            statuses = Counter(answer.status for answer in answers)
            assert set(statuses) <= {200, 429}
            assert statuses[429] >= 15, statuses
            refused = next(answer for answer in reversed(answers) if answer.status == 429)
            assert refused.fault["ReasonCode"] == "TOO_MANY_PUSHES"
            assert refused.fault["Recoverable"] is True
            assert 1 <= int(refused.headers["Retry-After"]) <= 11
            time.sleep(int(refused.headers["Retry-After"]))
            assert sender.push(connection=kept).status == 200
            reseller = equipment.reseller(door)
            assert reseller.push("/push/reseller", b'{"payload": {"providerId": "P"}}').status == 200
    assert len(equipment.journaled()) == 6 + statuses[200] + 2


def test_rate_of_all_sources(equipment: Equipment, tmp_path: Path) -> None:
    """The rate over all sources holds for all of them together; strangers without credentials use up none of it."""
    with limited(equipment, tmp_path, "pushes_per_second = 0.1") as door:
        right = equipment.ethoca(door)
        assert push_many(replace(right, headers=basic("ethoca", "wrong")), 12) == {401: 12}
        assert right.push().status == 200
        answer = equipment.reseller(door).push("/push/reseller", b'{"payload": {"providerId": "P"}}')
        assert (answer.status, answer.fault["ReasonCode"]) == (429, "TOO_MANY_PUSHES")


def test_packed_bodies_where_they_are_allowed(equipment: Equipment, tmp_path: Path) -> None:
    """With the setting a gzip body is unpacked before it is kept; a bomb is 413, a broken one 400, others are 415."""
    with limited(equipment, tmp_path, "compressed_bodies = true", "max_body = 10000") as door:
        sender = equipment.ethoca(door)
        packed = gzip.compress(ETHOCA_BODY)
        assert sender.push(body=packed, headers={"Content-Encoding": "gzip"}).status == 200
        assert sender.push(body=ETHOCA_BODY).status == 200
        bomb = gzip.compress(b"x" * 5_000_000)
        assert len(bomb) < 10_000
        for body, coding, status in (
            (bomb, "gzip", 413), (packed[:-5], "gzip", 400), (packed + b"x", "gzip", 400), (ETHOCA_BODY, "gzip", 400),
            (packed, "br", 415), (packed, "gzip, gzip", 415), (packed, "deflate", 415),
        ):  # fmt: skip
            assert sender.push(body=body, headers={"Content-Encoding": coding}).status == status, coding
    assert [envelope.body for envelope in equipment.journaled().values()] == [ETHOCA_BODY, ETHOCA_BODY]


def test_client_certificate_seen_last(equipment: Equipment, tmp_path: Path) -> None:
    """The platform's metrics say when a source's client certificate was last seen, and until when it is good."""
    environment = equipment.environment | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "counts")}
    began = time.time()
    with run_door(environment, tmp_path / "log", workers=2) as door, run_platform(environment, tmp_path / "log") as own:
        assert equipment.ethoca(door).push().status == 200
        assert replace(equipment.ethoca(door), pair=equipment.certificates.unlisted).push().status == 403
        (sighting,) = read_sightings(requests.get(f"http://{own.bind}/metrics", timeout=20).text)
    assert sighting.source == "ethoca"
    assert began - 1 <= sighting.seen_at.timestamp() <= time.time() + 1
    assert (sighting.expires_at - sighting.seen_at).days in range(395, 398)
