"""Counters that alert rules look at are there before the first failure, which then is an increase; none is left out."""

from types import SimpleNamespace

import pytest
from prometheus_client import REGISTRY

from ingress.app import build_app
from ingress.receive import Reception
from ingress.settings import Settings
from schemas.keyring import Keyring
from schemas.settings.configuration import Configuration, Sealing
from schemas.settings.door import Door
from schemas.settings.secret import Secret
from schemas.settings.sources import Header, Source
from workers.pool.metronome import SCHEDULE
from workers.telemetry.exposition import count_tick
from workers.telemetry.metrics import name_subscription

REQUESTS = "alert_intake_requests_total"
FAILED_AUTHENTICATIONS = "alert_intake_failed_authentications_total"
TICKS = "alert_intake_ticks_total"


def read(name: str, **labels: str) -> float | None:
    """Return what this process has counted, None when there is no such counter."""
    return REGISTRY.get_sample_value(name, labels)


def test_door_counts_each_source_from_zero() -> None:
    """Each configured source has its failures, failed authentications and acknowledgements before the first push."""
    secret = Secret(env="KEY")
    keys = (Header(name="X-API-Key", value=secret),)
    sources = tuple(
        Source(name=name, format="ethoca", certificate="optional", credentials=keys) for name in ("quiet", "silent")
    )
    configuration = Configuration(sources=sources, sealing=Sealing(keys=secret, matching=secret))
    settings = Settings(configuration, "redis://", Keyring([bytes(32)], bytes(32)), {})
    enqueuer = SimpleNamespace()
    build_app(settings, Reception(Door(), lambda _: None, enqueuer))  # type: ignore[arg-type]  # nothing is pushed
    for source in ("quiet", "silent"):
        for status in ("500", "503"):
            assert read(REQUESTS, source=source, outcome="failed", status=status) == 0
        for by in ("certificate", "header"):
            assert read(FAILED_AUTHENTICATIONS, source=source, by=by) == 0
        assert read(REQUESTS, source=source, outcome="acknowledged", status="200") == 0
        assert read("alert_intake_acknowledgement_seconds_count", source=source) == 0
    assert read(REQUESTS, source="", outcome="failed", status="500") is not None  # what breaks before a source is known


@pytest.mark.parametrize("task", [entry["task"] for entry in SCHEDULE.values()])
@pytest.mark.parametrize(("state", "outcome"), [("SUCCESS", "done"), ("FAILURE", "failed")])
def test_ticks_of_every_task_are_counted(task: str, state: str, outcome: str) -> None:
    """Whatever the metronome ticks for has its counters from the beginning, and each tick adds one."""
    name = task.removeprefix("workers.")
    before = read(TICKS, task=name, outcome=outcome)
    assert before is not None
    count_tick(SimpleNamespace(name=task), state)
    assert read(TICKS, task=name, outcome=outcome) == before + 1


def test_tasks_of_others_are_not_counted() -> None:
    """No label comes from a task that is none of ours."""
    count_tick(SimpleNamespace(name="celery.backend_cleanup"), "SUCCESS")
    assert read(TICKS, task="celery.backend_cleanup", outcome="done") is None


def test_first_late_delivery_is_an_increase() -> None:
    """A subscription whose first attempts all fail has its lags from then on, and none yet."""
    label = name_subscription("not reached yet")
    assert read("alert_intake_delivery_lag_seconds_count", subscription=label) == 0
