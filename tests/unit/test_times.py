"""Times of every documented form become one form."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import msgspec
import pytest

from schemas.alert.times import UnreadableTime, add_hours, hours_until, normalize_time
from tests.unit.messages import ETHOCA, listed, read_ethoca


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2026-11-20T17:11:05.000Z", "2026-11-20T17:11:05.000Z"),
        ("2026-11-19T09:30:00-05:00", "2026-11-19T14:30:00.000Z"),
        ("2026-11-19T09:30:00+0530", "2026-11-19T04:00:00.000Z"),
        ("2026-11-19 09:30:00", "2026-11-19T09:30:00.000Z"),
        ("2026-11-19 09:30:00.5Z", "2026-11-19T09:30:00.500Z"),
        ("2026-11-19T09:30:00.123456789123456789Z", "2026-11-19T09:30:00.123Z"),
        ("2026-11-19T09:30:00.9999Z", "2026-11-19T09:30:00.999Z"),
        ("2026-11-19t09:30z", "2026-11-19T09:30:00.000Z"),
        ("2026-11-19", "2026-11-19T00:00:00.000Z"),
        (" 2026-11-19 ", "2026-11-19T00:00:00.000Z"),
        ("0001-01-01T00:00:00.000Z", "0001-01-01T00:00:00.000Z"),
        ("9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"),
    ],
)
def test_times_are_read(written: str, read: str) -> None:
    """Offsets, Z, a space for T, bare dates and fractions of any length are read, without rounding."""
    assert normalize_time(written, UTC) == read


@pytest.mark.parametrize(
    "written",
    [
        "", "yesterday", "1732122665", "1732122665000", "20261120", "20261120T171105", "2026-W47-5", "2026-324",
        "0000-01-01", "99999-01-01T00:00:00Z", "10000-01-01", "2026-02-30", "2026-13-01", "2026-11-20T25:00:00Z",
        "2026-11-20T17:11:60Z", "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00", "2026-11-20T17:11:05+99:00",
        "2026-11-20x17:11:05", "٢٠٢٦-11-20", "2026-11-20T17:11:05.000\u0661", "20/11/2026", "2026-11-20T17:11:0xZ",
        "2026-00-20T17:11:05.000Z", "2026-11-20T17:11:05.00\x00Z",
    ],
)  # fmt: skip
def test_times_that_are_none(written: str) -> None:
    """Counts of seconds, week dates, days that do not exist and years outside 1 to 9999 are refused."""
    with pytest.raises(UnreadableTime):
        normalize_time(written, UTC)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2026-07-01T12:00:00", "2026-07-01T16:00:00.000Z"),
        ("2026-11-20", "2026-11-20T05:00:00.000Z"),
        ("2026-11-20T12:00:00Z", "2026-11-20T12:00:00.000Z"),
        ("2026-11-01T01:30:00", "2026-11-01T05:30:00.000Z"),
    ],
)
def test_time_without_zone_is_in_the_source_s(written: str, read: str) -> None:
    """A time without a zone is in the source's own, with its summer time; of one that occurs twice the first."""
    assert normalize_time(written, ZoneInfo("America/New_York")) == read
    source = msgspec.structs.replace(ETHOCA, time_zone="America/New_York")
    assert read_ethoca({"alertTimestamp": written}, source).facts == {"alerted_at": read}


@pytest.mark.parametrize("written", [True, ["2026-11-20"], {"at": "2026-11-20"}, 1732122665, 1.5, "0000-01-01"])
def test_unreadable_time_is_absent_and_listed(written: object) -> None:
    """What is no time is no fact, and the alert lives."""
    message = read_ethoca({"transactionTimestamp": written})
    assert message.facts == {}
    assert list(listed(message)) == ["transaction_at"]


def test_deadlines() -> None:
    """A deadline is so many hours on, and what is left of it whole hours, never below zero."""
    assert add_hours("2026-11-20T17:11:05.250Z", 24) == "2026-11-21T17:11:05.250Z"
    assert add_hours("2026-11-20T17:00:00.000Z", 0.5) == "2026-11-20T17:30:00.000Z"
    assert add_hours("9999-12-31T23:00:00.000Z", 24) is None
    now = datetime(2026, 11, 20, 17, 30, tzinfo=UTC)
    assert hours_until("2026-11-20T20:29:59.999Z", now) == 2
    assert hours_until("2026-11-20T17:00:00.000Z", now) == 0
