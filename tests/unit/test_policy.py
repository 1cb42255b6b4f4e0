"""The retry policy, over every status."""

from datetime import UTC, datetime

import pytest

from schemas.settings.forwarding import Forwarding
from workers.delivery.policy import Answer, decide_outcome, judge_answer, next_wait, seconds_asked, seconds_held

NOW = datetime(2025, 10, 21, 7, 28, tzinfo=UTC)
SETTINGS = Forwarding(schedule=(10, 20), jitter=0.5)


@pytest.mark.parametrize("status", range(100, 600))
def test_every_status_has_its_verdict(status: int) -> None:
    """2xx is done; 1xx, 408, 425, 429 and 5xx come again; 410 pauses; everything else is final."""
    expected = "final"
    if 200 <= status <= 299:
        expected = "done"
    elif status < 200 or status in {408, 425, 429} or status >= 500:
        expected = "again"
    elif status == 410:
        expected = "pause"
    assert judge_answer(status) == expected


def test_no_answer_comes_again() -> None:
    """A network error is tried again."""
    assert judge_answer(None) == "again"


def test_waits_follow_the_schedule_with_jitter() -> None:
    """Each wait lies between its scheduled one and that lengthened by the jitter."""
    for attempts, scheduled in ((1, 10), (2, 20)):
        waits = {next_wait(attempts, Answer(500, 1.0), SETTINGS) for _ in range(50)}
        assert len(waits) > 1
        assert all(wait is not None and scheduled <= wait <= scheduled * 1.5 for wait in waits)


def test_used_up_schedule_gives_up() -> None:
    """After the last scheduled attempt there is no next one."""
    assert next_wait(3, Answer(500, 1.0), SETTINGS) is None


def test_receiver_may_ask_for_more_time() -> None:
    """`Retry-After` lengthens the wait and never shortens it."""
    assert next_wait(1, Answer(429, 1.0, asked=100), SETTINGS) == 100
    shortened = next_wait(1, Answer(429, 1.0, asked=1), SETTINGS)
    assert shortened is not None
    assert shortened >= 10


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "soon",
        "-5",
        "Wed, 21 Oct 2015 07:28:00 GMT",
        "\u0661",
        "Mon, 20 Nov 2095 19:12:08 +99999999999999",
        "Mon, 99999999999999999999 Nov 2095 19:12:08 GMT",
        "Mon, 20 Nov 2095 99999999999999999999:12:08 GMT",
    ],
)
def test_unreadable_or_past_request_asks_for_nothing(header: str | None) -> None:
    """What is no future moment counts as nothing."""
    assert seconds_asked(header, NOW) == 0


def test_request_for_a_date_counts_from_the_time_that_all_share() -> None:
    """A date is reckoned by the moment given, not by this machine's clock; one without a zone is UTC."""
    for date in ("Tue, 21 Oct 2025 07:28:30 GMT", "Tue, 21 Oct 2025 07:28:30 -0000", "Tue, 21 Oct 2025 09:28:30 +0200"):
        assert seconds_asked(date, NOW) == 30


def test_request_is_bounded() -> None:
    """No receiver can postpone an alert by more than a day."""
    assert seconds_asked("9" * 40, NOW) == 86_400
    assert seconds_asked("Wed, 21 Oct 2026 07:28:00 GMT", NOW) == 86_400


@pytest.mark.parametrize(("status", "held"), [(429, 30), (503, 30), (500, 0), (408, 0), (200, 0), (None, 0)])
def test_receiver_speaks_for_all_deliveries_with_some_statuses(status: int | None, held: float) -> None:
    """Too many requests, and an unavailable service, concern whatever else would come, for five minutes at most."""
    assert seconds_held(Answer(status, 1.0, asked=30)) == held
    assert seconds_held(Answer(429, 1.0, asked=86_400)) == 300


@pytest.mark.parametrize(
    ("status", "state"),
    [(200, "delivered"), (500, "due"), (None, "due"), (429, "due"), (404, "given_up"), (410, "due")],
)
def test_outcome_of_an_attempt(status: int | None, state: str) -> None:
    """Delivered, due again, or given up: what follows from the verdict while the schedule lasts."""
    outcome = decide_outcome(1, Answer(status, 1.0), SETTINGS)
    assert outcome.state == state
    assert (outcome.wait is not None) == (state == "due")
    assert outcome.spared == (status == 410)


def test_last_attempt_gives_up_unless_it_says_nothing_about_the_item() -> None:
    """A failure after the last wait gives up; a failed probe and a receiver that is gone do not count."""
    assert decide_outcome(3, Answer(500, 1.0), SETTINGS).state == "given_up"
    for outcome in (
        decide_outcome(3, Answer(410, 1.0), SETTINGS),
        decide_outcome(3, Answer(500, 1.0), SETTINGS, probe=True),
        decide_outcome(3, Answer(404, 1.0), SETTINGS, probe=True),
    ):
        assert (outcome.state, outcome.spared) == ("due", True)
        assert outcome.wait == SETTINGS.probe_interval


def test_default_schedule_lasts_about_three_days() -> None:
    """Thirteen attempts over 2.9 days at the least, and 3.5 at the most with the jitter."""
    settings = Forwarding()
    assert len(settings.schedule) == 12
    assert 2.8 < sum(settings.schedule) / 86_400 < 3.0
    assert sum(settings.schedule) * (1 + settings.jitter) / 86_400 < 3.5
