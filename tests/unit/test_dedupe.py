"""How messages of one alert end, and what they may change: the rules of the endings, without a server."""

from dataclasses import replace
from typing import Any

import pytest

from schemas.alert.alert import Alert, Message
from schemas.journal.envelope import Envelope
from schemas.keyring import Keyring
from workers.intake.dedupe import decide_endings, identities_of
from workers.intake.outcomes import Decisions, Entry, Rejection, Report

KEYRING = Keyring([b"k" * 32], b"m" * 32)
IDENTITY = ("ethoca", "A1")
OWN = Message(
    "ethoca", "A1", "ethoca", True, "confirmed_fraud", None, None, None, {"issuer": "BANK", "amount": "10.00"}
)
CREATED = Message(
    "ethoca",
    "A1",
    "reseller",
    False,
    "confirmed_fraud",
    "alert.created",
    "2026-11-20T10:00:00.000Z",
    "open",
    {"issuer": "Bank by reseller", "merchant_id": "M1"},
)
RESOLVED = replace(CREATED, event="alert.resolved", sent_at="2026-11-20T12:00:00.000Z", status="resolved")


def report(item: Message | Rejection, number: int) -> Report:
    """Return the report of an entry that holds one item, received `number` seconds into the epoch."""
    envelope = Envelope(item.source if isinstance(item, Message) else "ethoca", b"{}", f"{number:032x}", number * 1000)
    return Report(Entry(b"%d-0" % (number * 1000), {b"b": b""}), envelope, (item,))


def decide(*items: Message | Rejection, known: dict[tuple[str, str], Alert] | None = None) -> Decisions:
    """Decide over items that came one after the other in one batch."""
    reports = [report(item, number + 1) for number, item in enumerate(items)]
    claimed = {identity: f"id-{identity[1]}" for identity in identities_of(reports)}
    return decide_endings(reports, known or {}, claimed, KEYRING)


def endings(decisions: Decisions) -> list[str]:
    """Return the endings in order."""
    return [ending.ending for ending in decisions.endings]


def only(decisions: Decisions) -> Alert:
    """Return the one alert that was stored."""
    (alert,) = decisions.stored.values()
    return alert


def test_first_message_is_stored_and_told() -> None:
    """The first message of an alert makes it, open, and tells it as created."""
    decisions = decide(OWN)
    alert = only(decisions)
    assert endings(decisions) == ["stored"]
    assert (alert.status, alert.kind, alert.facts, alert.revision) == ("open", "confirmed_fraud", OWN.facts, 1)
    assert [event.type for event in decisions.events] == ["alert.created"]


def test_same_content_is_a_duplicate() -> None:
    """The same content again, in one batch, changes nothing but the count."""
    decisions = decide(OWN, OWN, OWN)
    assert endings(decisions) == ["stored", "duplicate", "duplicate"]
    assert only(decisions).duplicates == 2
    assert len(decisions.events) == 1


def test_repaired_repetition_marks_the_alert() -> None:
    """A duplicate that needed the repair marks the alert, which any entry does."""
    decisions = decide(OWN, replace(OWN, repaired=True))
    assert endings(decisions) == ["stored", "duplicate"]
    assert only(decisions).repaired is True


def test_known_alert_is_recognised_over_batches() -> None:
    """What Postgres knows counts as if it had come in the same batch."""
    alert = only(decide(OWN))
    decisions = decide(OWN, known={IDENTITY: alert})
    assert endings(decisions) == ["duplicate"]
    assert not decisions.stored
    assert decisions.changed == {alert.id: alert}


def test_back_to_an_earlier_content_never_reopens() -> None:
    """A, B, A again: the repeated creation is a duplicate and the alert stays resolved."""
    decisions = decide(CREATED, RESOLVED, CREATED)
    assert endings(decisions) == ["stored", "updated", "duplicate"]
    assert only(decisions).status == "resolved"
    assert [event.type for event in decisions.events] == ["alert.created", "alert.resolved"]


def test_resolution_may_come_first() -> None:
    """A resolution before its creation stores a resolved alert, told as both; the creation then only fills gaps."""
    late = replace(CREATED, facts=CREATED.facts | {"issuer": "OLD", "mcc": "5732"})
    decisions = decide(RESOLVED, late)
    alert = only(decisions)
    assert endings(decisions) == ["stored", "superseded"]
    assert alert.status == "resolved"
    assert (alert.facts["issuer"], alert.facts["mcc"]) == ("Bank by reseller", "5732")
    assert [event.type for event in decisions.events] == ["alert.created", "alert.resolved", "alert.updated"]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_equal_times_end_resolved(order: tuple[int, int]) -> None:
    """Creation and resolution of the same moment end resolved, whichever comes first."""
    messages = (CREATED, replace(RESOLVED, sent_at=CREATED.sent_at))
    assert only(decide(*(messages[place] for place in order))).status == "resolved"


def test_creation_without_a_time_does_not_reopen() -> None:
    """A creation that carries no time is not newer than the resolution before it."""
    decisions = decide(replace(RESOLVED, sent_at=None), replace(CREATED, sent_at=None))
    assert endings(decisions) == ["stored", "superseded"]
    assert only(decisions).status == "resolved"


def test_late_older_message_fills_only_gaps() -> None:
    """An older message of the same source is superseded: it fills an empty field and overrides none."""
    older = replace(CREATED, sent_at="2026-11-19T00:00:00.000Z", status="new", facts={"issuer": "X", "arn": "7" * 23})
    decisions = decide(CREATED, older)
    alert = only(decisions)
    assert endings(decisions) == ["stored", "superseded"]
    assert (alert.status, alert.facts["issuer"], alert.facts["arn"]) == ("open", "Bank by reseller", "7" * 23)
    assert alert.revision == 2


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_own_door_keeps_facts_and_reseller_keeps_status(order: tuple[int, int]) -> None:
    """Through both doors it is one alert: the network's own facts, the reseller's status and additions."""
    messages = (replace(OWN, status="open"), RESOLVED)
    alert = only(decide(*(messages[place] for place in order)))
    assert alert.facts == {"issuer": "BANK", "amount": "10.00", "merchant_id": "M1"}
    assert alert.status == "resolved"


def test_missing_fields_never_erase() -> None:
    """A newer message without a field leaves the field as it was."""
    decisions = decide(CREATED, replace(CREATED, sent_at="2026-11-21T00:00:00.000Z", facts={"mcc": "1"}, status=None))
    alert = only(decisions)
    assert (alert.facts["merchant_id"], alert.facts["mcc"], alert.status) == ("M1", "1", "open")


def test_revision_names_what_changed() -> None:
    """A revision keeps before and after of each changed field."""
    decisions = decide(CREATED, RESOLVED)
    (revision,) = decisions.revisions
    assert revision.changes == {"status": ["open", "resolved"]}
    assert revision.revision == 2


def test_rejection_ends_for_itself() -> None:
    """A rejection beside a good alert ends as a rejection, with an id of its own, and disturbs nothing."""
    decisions = decide(Rejection("unreadable", "not JSON", b"x"), OWN)
    assert endings(decisions) == ["rejected", "stored"]
    (rejection,) = decisions.rejections
    assert decisions.endings[0].rejection_id == rejection[0]


def test_events_keep_the_alert_as_it_stood() -> None:
    """An event's alert is a copy: what follows in the batch does not change it."""
    decisions = decide(CREATED, RESOLVED)
    assert [event.alert.status for event in decisions.events] == ["open", "resolved"]


def test_identities_are_sorted_and_once_each() -> None:
    """Identities come in the order of locking, without repetition."""
    reports: list[Any] = [report(replace(OWN, provider_alert_id=name), 1) for name in ("b", "a", "b")]
    assert identities_of(reports) == [("ethoca", "a"), ("ethoca", "b")]
