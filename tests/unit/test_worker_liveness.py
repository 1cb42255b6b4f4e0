"""A worker whose clock stands still is dead, unless it waits for its broker."""

import pytest

from workers import liveness
from workers.liveness import SILENCE_SECONDS, Pulse


@pytest.mark.parametrize(("silent", "broker", "alive"), [(False, True, True), (True, True, False), (True, False, True)])
def test_pulse(monkeypatch: pytest.MonkeyPatch, silent: bool, broker: bool, alive: bool) -> None:
    """It lives while it beats; silent, it lives only where the broker does not answer either."""
    clock = [1000.0]
    monkeypatch.setattr("workers.liveness.time.monotonic", lambda: clock[0])
    monkeypatch.setattr(liveness, "broker_answers", lambda: broker)
    pulse = Pulse()
    pulse.beat()
    clock[0] += SILENCE_SECONDS + 1 if silent else 1
    assert pulse.is_alive() is alive


def test_broker_that_is_not_there_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused connection is no answer."""
    monkeypatch.setenv("BROKER_URL", "redis://127.0.0.1:1/0")
    assert liveness.broker_answers() is False
