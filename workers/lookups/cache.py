"""Answers of a remote enricher that are still good.

In memory, of each worker process by itself: a look-up is cheap and an order changes, so an answer is good for a minute,
too short a time for a table to be worth its writes. What is lost with the process is asked for again.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

MOST_ANSWERS = 5000


class AnswerCache:
    """Answers by what they depend on, for `seconds`; the ones used longest ago make room for new ones."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._answers: OrderedDict[bytes, tuple[float, dict[str, Any]]] = OrderedDict()

    def find(self, subject: bytes) -> dict[str, Any] | None:
        """Return the answer for this subject if there is one that is still good."""
        with self._lock:
            until, answer = self._answers.get(subject, (0.0, {}))
            if self._clock() >= until:
                return None
            self._answers.move_to_end(subject)
            return answer

    def keep(self, subject: bytes, answer: dict[str, Any]) -> None:
        """Keep an answer."""
        if self._seconds <= 0:
            return
        with self._lock:
            self._answers[subject] = (self._clock() + self._seconds, answer)
            self._answers.move_to_end(subject)
            while len(self._answers) > MOST_ANSWERS:
                self._answers.popitem(last=False)
