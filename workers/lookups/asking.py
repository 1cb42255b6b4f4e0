"""Ask a remote enricher: from the cache if it has just answered, not at all while it keeps failing."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from schemas.alert.alert import Alert
from workers.enrichers.additions import UnusableAddition, check_additions
from workers.lookups.cache import AnswerCache
from workers.lookups.circuit import Circuit


class Unavailable(Exception):
    """It did not answer, or said that it cannot now: ask again. The message quotes neither an alert nor an address."""


class Refused(Exception):
    """It gave an answer that is of no use, and would give it again."""


@dataclass(frozen=True, slots=True)
class Remote:
    """A remote enricher as this process knows it.

    ask      asks it; may take `timeout` seconds and raise anything
    subject  what its answer depends on: alerts of the same subject share an answer
    """

    name: str
    ask: Callable[[Alert], object]
    subject: Callable[[Alert], bytes]
    timeout: float
    cache: AnswerCache
    circuit: Circuit

    def answer(self, alert: Alert) -> dict[str, Any]:
        """Return what it adds to the alert. Raises Unavailable or Refused."""
        subject = self.subject(alert)
        kept = self.cache.find(subject)
        if kept is not None:
            return kept
        if not self.circuit.admit():
            raise Unavailable("it keeps failing")
        try:
            additions = check_additions(self.ask(alert))
        except (Refused, UnusableAddition) as error:
            self.circuit.note_success()  # it is there, and somebody has to look at what it says
            raise Refused(str(error)) from error
        except Unavailable:
            self.circuit.note_failure()
            raise
        except Exception as error:
            self.circuit.note_failure()
            raise Unavailable(type(error).__name__) from error
        self.circuit.note_success()
        self.cache.keep(subject, additions)
        return additions
