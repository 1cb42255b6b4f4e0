"""What can become of an entry: the values that the stations of the pipeline pass on to each other."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from schemas.alert.alert import Alert, Message
from schemas.journal.envelope import Envelope, Fields

EndingName = Literal["stored", "updated", "duplicate", "superseded", "rejected"]
Identity = tuple[str, str]
Origin = dict[str, str]  # request_id, and trace where there is one
MOST_NAMED = 100  # requests in one log line


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the journal.

    deliveries  how often it was handed to a drain, this time included, without those that a server failed
    set_aside   how often it was set aside, since a server failed over it when it was alone
    """

    entry_id: bytes
    fields: Fields
    deliveries: int = 1
    set_aside: int = 0

    @property
    def entered_at(self) -> int:
        """Milliseconds since the epoch by Redis's clock: the first half of the entry id."""
        return int(self.entry_id.partition(b"-")[0])

    @property
    def sequence(self) -> int:
        """The second half of the entry id: a counter within the millisecond."""
        return int(self.entry_id.partition(b"-")[2])


@dataclass(frozen=True, slots=True)
class Rejection:
    """An alert that ends without being one. `body` is what was pushed, or the one item of a list."""

    reason: Literal["unreadable", "no_alert_id", "unknown_source", "unsealable", "poisoned", "unstorable"]
    why: str
    body: bytes | None


@dataclass(frozen=True, slots=True)
class Report:
    """What validation found in an entry: for each of its alerts a message or a rejection. Never empty.

    opened  whether the body could be opened; where not, `envelope` is what stands on it, or None
    """

    entry: Entry
    envelope: Envelope | None
    items: tuple[Message | Rejection, ...]
    opened: bool = True

    @property
    def origin(self) -> Origin:
        """What to tell, wherever its alerts go, of the push that they came with."""
        if self.envelope is None:
            return {}
        known = {"request_id": self.envelope.request_id, "trace": self.envelope.trace}
        return {name: value for name, value in known.items() if value is not None}


def name_requests(reports: Sequence[Report]) -> list[str] | None:
    """Return the request ids of a small batch, for its log line; of a large one the first and last entry tell."""
    if len(reports) > MOST_NAMED:
        return None
    return [report.envelope.request_id for report in reports if report.envelope is not None]


@dataclass(frozen=True, slots=True)
class Ending:
    """How one alert of an entry ended."""

    entry: Entry
    item: int
    ending: EndingName
    alert_id: str | None = None
    rejection_id: str | None = None


@dataclass(frozen=True, slots=True)
class Revision:
    """What one message changed in its alert: field -> [before, after]."""

    alert_id: str
    revision: int
    source: str
    request_id: str
    changes: dict[str, list[Any]]


@dataclass(slots=True)
class Event:
    """Something that downstream services are told, with the alert as it stood then; a copy of it once it changes."""

    type: str
    alert: Alert
    origin: Origin = field(default_factory=dict)


@dataclass(slots=True)
class Decisions:
    """All that one batch will write. Made without a socket, written in one transaction."""

    stored: dict[str, Alert] = field(default_factory=dict)
    changed: dict[str, Alert] = field(default_factory=dict)
    endings: list[Ending] = field(default_factory=list)
    revisions: list[Revision] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    rejections: list[tuple[str, Report, int, Rejection]] = field(default_factory=list)
    _standing: dict[str, list[Event]] = field(default_factory=dict)  # events whose alert stands as it stood then

    def tell(self, event_type: str, alert: Alert, origin: Origin) -> None:
        """Add an event with the alert as it stands now."""
        event = Event(event_type, alert, origin)
        self.events.append(event)
        self._standing.setdefault(alert.id, []).append(event)

    def keep_told(self, alert: Alert) -> None:
        """Give what was told of an alert a copy of its own: the alert is about to change. In a batch most never do."""
        told = self._standing.pop(alert.id, None)
        if told:
            copy = alert.snapshot()
            for event in told:
                event.alert = copy

    def every_alert(self) -> list[Alert]:
        """Every alert that will be written or told, in each of its versions, once."""
        every = (*self.stored.values(), *self.changed.values(), *(event.alert for event in self.events))
        return list({id(alert): alert for alert in every}.values())
