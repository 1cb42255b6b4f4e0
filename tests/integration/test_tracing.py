"""One trace from a push to its deliveries, told to a real collector; and without one, nothing."""

import base64
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import structlog

from deploy.embedded.settings import Secrets
from schemas.telemetry.tracing import ENDPOINTS, is_wanted, open_spans
from tests.conftest import CertificateFiles
from tests.e2e.bodies import dispute
from tests.e2e.test_privacy import disguises
from tests.gunicorn import ROOT, Process, run_door, wait_for
from tests.integration.collector import Collector, run_collector
from tests.integration.door import Equipment, Sender
from tests.integration.downstream import Receiver, subscribe
from tests.integration.workers import Worker, run_worker
from workers.settings import Workshop

TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")
CLIENT, CONSUMER, SERVER = 3, 5, 2
CARD = "4916338506082832"  # Luhn-valid


@dataclass(frozen=True, slots=True)
class Site:
    """A door and a worker that tell a collector, and somebody who pushes."""

    collector: Collector
    door: Process
    worker: Worker
    sender: Sender


@pytest.fixture
def site(
    environment: dict[str, str],
    configuration_file: Path,
    journal_url: str,
    certificates: CertificateFiles,
    intake_secrets: Secrets,
    tmp_path: Path,
) -> Iterator[Site]:
    """Run them."""
    equipment = Equipment(configuration_file, journal_url, certificates, intake_secrets)
    with ExitStack() as running:
        collector = running.enter_context(run_collector())
        told = environment | {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
        door = running.enter_context(run_door(told, tmp_path / "door"))
        worker = running.enter_context(
            run_worker(told, tmp_path / "worker.log", "-Q", "drain,forward", "-P", "threads", "-c", "4")
        )
        yield Site(collector, door, worker, equipment.ethoca(door))


def test_one_trace_leads_from_the_push_to_the_delivery(site: Site, workshop: Workshop, receiver: Receiver) -> None:
    """Push, store and deliver are spans of one trace, and the receiver is told which: its part can go on with it."""
    subscribe(workshop, receiver.url)
    answer = site.sender.push()
    assert answer.status == 200
    wait_for(lambda: all(map(site.collector.named, ("push", "store", "deliver"))))
    (push,), (store,), (deliver,) = map(site.collector.named, ("push", "store", "deliver"))
    assert {push.trace} == {store.trace} == {deliver.trace}
    assert (push.parent, store.parent, deliver.parent) == ("", push.id, push.id)
    assert (push.kind, store.kind, deliver.kind) == (SERVER, CONSUMER, CLIENT)
    assert push.began <= store.began <= store.ended
    assert store.began <= deliver.began <= deliver.ended  # the batch may still be settled while it is delivered
    request_id = answer.headers["X-Request-Id"]
    for span in (push, store, deliver):
        assert span.facts["alert_intake.request_id"] == request_id
        assert not span.failed
    assert (push.service, store.service) == ("alert-intake-ingress", "alert-intake-workers")
    ((headers, _body),) = receiver.received
    told = TRACEPARENT.fullmatch(headers["traceparent"])
    assert told is not None
    assert told.groups() == (deliver.trace, deliver.id)


def test_what_fails_is_told_and_tried_again_in_the_same_trace(
    site: Site, workshop: Workshop, receiver: Receiver
) -> None:
    """A failed attempt is a failed span; its repetition, and the deliveries of a duplicate's alert, stay apart."""
    receiver.statuses = [404]
    subscribe(workshop, receiver.url)
    site.sender.push()
    wait_for(lambda: site.collector.named("deliver"))
    (deliver,) = site.collector.named("deliver")
    assert deliver.failed
    assert deliver.facts["http.response.status_code"] == "404"
    site.sender.push()
    wait_for(lambda: len(site.collector.named("store")) == 2)
    wait_for(lambda: len({span.trace for span in site.collector.named("push")}) == 2)
    assert len(site.collector.named("deliver")) == 1  # a duplicate goes nowhere


def test_no_canary_reaches_a_collector(site: Site, workshop: Workshop, receiver: Receiver) -> None:
    """A card number, a password, a contact and a receiver's token, through every ending: no span tells of them."""
    password, contact, token = "canary-password-5d1c", "canary-5d1c@example.org", "canary-token-5d1c"
    receiver.statuses = [500, 204]
    receiver.body = CARD.encode()
    subscribe(workshop, f"{receiver.url}?token={token}")
    basic = "Basic " + base64.b64encode(f"ethoca:{password}".encode()).decode()
    body = json.dumps(dispute("TRACED", issuer=CARD, descriptorContact=contact, unknown={"deep": [CARD, contact]}))
    bodies = (body.encode(), body[:-3].encode(), json.dumps({"payload": CARD, "descriptorContact": contact}).encode())
    assert [site.sender.push(body=one).status for one in bodies] == [200, 400, 400]
    assert site.sender.push(body=bodies[0], headers={"Authorization": basic}).status == 401
    assert site.sender.push(path=f"/push/{CARD}?password={password}", body=bodies[0]).status == 404
    wait_for(lambda: len(site.collector.named("push")) >= 3)
    wait_for(lambda: len(site.collector.named("store")) >= 3)
    wait_for(lambda: len(site.collector.named("deliver")) >= 2)
    told = b"".join(site.collector.bodies)
    assert b"alert_intake.request_id" in told
    for canary in (CARD, password, contact, token):
        for form in disguises(canary):
            assert form not in told, canary


def test_request_id_stands_in_the_log_of_every_part(site: Site, workshop: Workshop, receiver: Receiver) -> None:
    """The door's line, the batch's line and the delivery's line name the push by one request id, in one line each."""
    subscribe(workshop, receiver.url)
    request_id = site.sender.push().headers["X-Request-Id"]
    wait_for(lambda: site.worker.lines("delivery_attempted") and site.worker.lines("batch_stored"))
    assert site.door.line(request_id)["event"] == "acknowledged"
    (batch,) = site.worker.lines("batch_stored")
    assert batch["requests"] == [request_id]
    assert batch["first"] == site.door.line(request_id)["entry_id"]
    (delivery,) = site.worker.lines("delivery_attempted")
    assert delivery["request_id"] == request_id


def test_off_it_costs_no_import(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an endpoint neither the door nor the workshop loads what makes and sends spans."""
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    assert open_spans("ingress", structlog.get_logger()) is None
    program = (  # redis-py looks for OpenTelemetry by itself, so not all of it is absent
        "import json, sys, ingress.app, workers.tasks;"
        "wanted = ('schemas.telemetry.spans', 'opentelemetry.exporter');"
        "print(json.dumps([module for module in sys.modules if module.startswith(wanted)]))"
    )
    environment = {"PATH": os.environ["PATH"], "BROKER_URL": "redis://127.0.0.1:1/0"}
    said = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, check=True)
    assert json.loads(said.stdout) == []


@pytest.mark.parametrize(
    ("unusable", "why"),
    [({"PYTHONPATH": "withheld"}, "EXTRAS=tracing"), ({"OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "9999"}, "max_queue_size")],
    ids=["no packages", "a setting"],
)
def test_where_it_cannot_be_alerts_go_their_way(
    unusable: dict[str, str],
    why: str,
    environment: dict[str, str],
    configuration_file: Path,
    certificates: CertificateFiles,
    intake_secrets: Secrets,
    workshop: Workshop,
    receiver: Receiver,
    tmp_path: Path,
) -> None:
    """Switched on without its packages, or with a setting that it cannot use: a line says so, and nothing is lost."""
    withheld = tmp_path / "withheld" / "opentelemetry"
    withheld.mkdir(parents=True)
    (withheld / "__init__.py").write_text("raise ModuleNotFoundError('withheld')\n", encoding="utf-8")
    told = environment | {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"} | unusable
    if "PYTHONPATH" in told:
        told["PYTHONPATH"] = str(withheld.parent)
    equipment = Equipment(configuration_file, workshop.journal_url, certificates, intake_secrets)
    subscribe(workshop, receiver.url)
    with (
        run_door(told, tmp_path / "door") as door,
        run_worker(told, tmp_path / "worker.log", "-Q", "drain,forward", "-P", "threads", "-c", "4") as worker,
    ):
        assert equipment.ethoca(door).push().status == 200
        wait_for(lambda: receiver.received)
        lines = [line for line in door.written() if line["event"] == "not_traced"]
        assert len(lines) == 1
        lines += worker.lines("not_traced")
    assert len(lines) > 1
    assert {line["level"] for line in lines} == {"warning"}
    assert all(why in line["why"] for line in lines)


def test_it_is_on_by_an_endpoint_and_off_by_the_switch(monkeypatch: pytest.MonkeyPatch) -> None:
    """An endpoint switches it on, an empty one does not, and OpenTelemetry's own switch has the last word."""
    for name in ENDPOINTS:
        monkeypatch.setenv(name, "")
    assert not is_wanted()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    assert is_wanted()
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    assert not is_wanted()
