"""Circuit: who fails again and again is left in peace for a while, and then tried with one alert."""

import threading
import time
from collections.abc import Callable


class Circuit:
    """Of one enricher in one process. Opens after `failures` in a row for `seconds`; then it admits one at a time."""

    def __init__(self, failures: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = failures
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._opens_again: float | None = None
        self._trying = False

    def admit(self) -> bool:
        """Say whether the enricher may be asked. Whoever is admitted reports how it went."""
        with self._lock:
            if self._opens_again is None:
                return True
            if self._clock() < self._opens_again:
                return False
            self._opens_again = self._clock() + self._seconds  # the others wait for what this one finds
            self._trying = True
            return True

    def seconds_closed(self) -> float:
        """Return for how long nobody will be admitted; 0 when somebody is, or may be any moment."""
        with self._lock:
            if self._opens_again is None or self._trying:
                return 0.0
            return max(0.0, self._opens_again - self._clock())

    def note_success(self) -> None:
        """Admit everybody."""
        with self._lock:
            self._failures = 0
            self._opens_again = None
            self._trying = False

    def note_failure(self) -> None:
        """Count a failure; admit nobody for a while when it is one too many."""
        with self._lock:
            self._failures += 1
            self._trying = False
            if self._failures >= self._most:
                self._opens_again = self._clock() + self._seconds
