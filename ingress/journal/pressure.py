"""How full the journal is, known to be at most about a second old. An unknown state is a refusal."""

import threading
import time

import redis

from schemas.journal.append import JournalUnavailable
from schemas.journal.room import JournalState, check_room, measure_journal
from schemas.settings.journal import Journal

MAX_AGE = 1.0  # seconds


class Pressure:
    """Measures on demand, one greenlet at a time, and shares the outcome, also that there is none."""

    def __init__(self, client: redis.Redis, settings: Journal) -> None:
        self._client = client
        self._settings = settings
        self._lock = threading.Lock()
        self._outcome: JournalState | str = "the journal was not measured yet"
        self._good_until = 0.0

    def require_room(self) -> bool:
        """Raise JournalFull when the journal should not be filled further, JournalUnavailable when nobody knows.

        Return whether the journal was asked just now.
        """
        anew = False
        if time.monotonic() > self._good_until:
            with self._lock:
                if time.monotonic() > self._good_until:
                    self._measure()
                    anew = True
        if isinstance(self._outcome, str):
            raise JournalUnavailable(self._outcome)
        check_room(self._outcome, self._settings)
        return anew

    def _measure(self) -> None:
        started = time.monotonic()
        try:
            self._outcome = measure_journal(self._client, self._settings)
            self._good_until = started + MAX_AGE
        except JournalUnavailable as error:
            self._outcome = str(error)
            self._good_until = time.monotonic() + MAX_AGE / 4
        except BaseException:
            self._outcome = "the journal could not be measured"
            raise
