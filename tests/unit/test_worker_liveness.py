"""A worker that takes no ticks while some wait is dead; one whose broker is gone waits for it."""

import pytest

from workers.pool import liveness
from workers.pool.liveness import SILENCE_SECONDS, Pulse


@pytest.mark.parametrize(
    ("silent", "waiting", "alive"), [(False, True, True), (True, True, False), (True, False, True)]
)
def test_pulse(monkeypatch: pytest.MonkeyPatch, silent: bool, waiting: bool, alive: bool) -> None:
    """It lives while it takes ticks; silent, it lives only where none wait for it."""
    clock = [1000.0]
    monkeypatch.setattr("workers.pool.liveness.time.monotonic", lambda: clock[0])
    monkeypatch.setattr(liveness, "ticks_wait", lambda queues: waiting and queues == ("drain",))
    pulse = Pulse()
    pulse.begin(["drain"])
    clock[0] += 1000
    pulse.take()
    clock[0] += SILENCE_SECONDS + 1 if silent else 1
    assert pulse.is_alive() is alive


def test_nothing_waits_at_a_broker_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused connection is no reason to begin anew."""
    monkeypatch.setenv("BROKER_URL", "redis://127.0.0.1:1/0")
    assert liveness.ticks_wait(("drain",)) is False
