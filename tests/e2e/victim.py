"""Senders who have every right to push, while somebody attacks the door. Imports nothing of ours."""

import contextlib
import http.client
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from tests.e2e.bodies import dispute, fresh_id
from tests.e2e.sender import Sender

HEADINGS = ("attack", "tries", "let in", "valid pushes", "repeated", "refused", "p99 ms")


@dataclass(slots=True)
class Victims:
    """Two senders that keep their connections and one that comes anew for each push; each pushes ten times a second.

    A push that fails is repeated once, as a sender does: `repeated` are those, by why; `refused` failed again.
    """

    facts: Mapping[str, str]
    pause: float = 0.1
    seconds: list[float] = field(default_factory=list)
    repeated: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    _ending: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Self:
        """Begin."""
        self._threads = [threading.Thread(target=self._push_on, args=[keep]) for keep in (True, True, False)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _why: BaseException | None, _at: TracebackType | None
    ) -> None:
        """Finish the pushes that are under way, and end."""
        self._ending.set()
        for thread in self._threads:
            thread.join()

    def p99_ms(self) -> float:
        """Return the time below which 99 of 100 pushes were answered, connecting included."""
        ordered = sorted(self.seconds)
        return 1000 * ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]

    def _push_on(self, keep: bool) -> None:
        with contextlib.closing(Sender(self.facts)) as sender:
            while not self._ending.wait(self.pause):
                body = dispute(fresh_id())
                began = time.monotonic()
                if not self._push(sender, body, self.repeated) and not self._push(sender, body, self.refused):
                    sender.close()
                self.seconds.append(time.monotonic() - began)
                if not keep:
                    sender.close()

    def _push(self, sender: Sender, body: object, failures: Counter[str]) -> bool:
        try:
            answer = sender.push(body)
        except (OSError, http.client.HTTPException) as error:
            failures[f"{type(error).__name__}: {error}"] += 1
            return False
        if not answer.acknowledged:
            failures[str(answer.status)] += 1
        return answer.acknowledged
