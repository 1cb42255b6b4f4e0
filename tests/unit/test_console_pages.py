"""What the pages show and judge, without a browser or a server."""

import base64
import hashlib
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import click
import pytest

from console.books.history import HOUR, STEP, draw_count, draw_failures, draw_level, draw_rate
from console.books.samples import Sample
from console.books.workers import Worker, remember
from console.command import main
from console.pages.auditor import Audited
from console.pages.certificates import Certificate
from console.pages.deadline import tell_deadline
from console.pages.neighbours import Neighbours
from console.pages.plot import HEIGHT, WIDTH, draw_plot
from console.pages.standing import Standing
from console.pages.timeline import tell_story
from console.pages.troubles import find_troubles
from console.pages.words import say_rate, say_span, say_when

STATIC = Path(__file__).parents[2] / "console" / "static"
NOW = datetime(2026, 11, 22, 12, 0, 10, tzinfo=UTC)
LIFE, NEXT_LIFE = UUID(int=1), UUID(int=2)
NOTHING_LEFT_OUT = {"revisions": 0, "receipts": 0, "deliveries": 0}
WELL = Audited({"balanced": True}, NOW)


def sample(seconds_ago: float, added: int | None, *, life: UUID = LIFE, failed: int = 0) -> Sample:
    """Return a sample in which nothing but the journal's counter and failed attempts are of interest."""
    return Sample(NOW - timedelta(seconds=seconds_ago), life, added, added, added, 0, 0, 0, failed, 5.0)


def standing(**found: Any) -> Standing:  # noqa: ANN401 - fields of any type
    """Return how things stand when all is well, but for what is given."""
    workers = [Worker("drain", "drain@a/0", NOW), Worker("forward", "10.0.0.1", NOW)]
    well: dict[str, Any] = {
        "now": NOW, "stream": {"full": [], "oldest_age": 0.1}, "audited": WELL,
        "present": {"halted": 0, "late": None, "given_up": 0, "open": 0}, "looked_at": NOW, "workers": workers,
        "certificates": [Certificate("Server certificate", 200.0, "until 2027-06-10")],
    }  # fmt: skip
    return Standing(**(well | found))


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.014, "14 ms"), (1, "1 s"), (59.9, "59 s"), (61, "1 min"), (3600, "1 h"), (22_320, "6 h 12 min"),
     (86_400 * 2 + 3600 * 4, "2 d 4 h"), (86_400 * 4284, "4,284 d"), (-90, "1 min")],
)  # fmt: skip
def test_lengths_of_time_are_said_shortly(seconds: float, said: str) -> None:
    """Two units at most, and the second only where it matters."""
    assert say_span(seconds) == said


def test_moments_are_said_relative_to_now() -> None:
    """What lies behind is ago, what lies ahead is in."""
    assert say_when(NOW - timedelta(minutes=3), NOW) == "3 min ago"
    assert say_when(NOW + timedelta(hours=6, minutes=12), NOW) == "in 6 h 12 min"
    assert say_when(NOW, NOW) == "just now"


def test_rates_keep_what_is_small_visible() -> None:
    """A rate of two a minute is not shown as none."""
    assert [say_rate(value) for value in (None, 0, 0.033, 12.34, 1234.5)] == [
        "\N{EN DASH}",
        "0",
        "0.03",
        "12.3",
        "1,234",
    ]


def test_rate_is_what_the_counter_grew_by() -> None:
    """From 100 to 150 within 5 s is ten a second; the series ends with the present step."""
    series = draw_rate([sample(10, 100), sample(5, 150), sample(0, 200)], lambda one: one.added, NOW)
    assert (series.now, series.peak, len(series.values)) == (10.0, 10.0, HOUR / STEP)
    assert series.values[-1] == 10.0
    assert set(series.values[:-2]) == {None}


def test_nothing_is_known_across_a_new_journal_or_a_gap() -> None:
    """A counter that begins anew, or was not read for long, gives no rate rather than a wrong one."""
    for samples in (
        [sample(5, 100), sample(0, 7, life=NEXT_LIFE)],
        [sample(5, 100), sample(0, 150, life=NEXT_LIFE)],
        [sample(600, 100), sample(0, 9000)],
        [sample(5, None), sample(0, 100)],
    ):
        series = draw_rate(samples, lambda one: one.added, NOW)
        assert series.now is None
        assert set(series.values) == {None}


def test_levels_and_counts_keep_their_peaks() -> None:
    """Of a step a level shows the highest, and a count is divided by the time that it was counted over."""
    assert draw_level([sample(9, 40), sample(5, 3), sample(0, 2)], lambda one: one.entries, NOW).peak == 40
    assert draw_level([sample(9, 40), sample(0, 2)], lambda one: one.entries, NOW).now == 2
    assert draw_count([sample(0, 0, failed=10)], lambda one: one.failed, NOW).now == 2.0
    assert draw_count([sample(300, 0, failed=10)], lambda one: one.failed, NOW).now is None


def test_failures_and_rejections_are_added_before_their_peak_is_taken() -> None:
    """Of 2 failures and 1 rejection a second the peak is 3, and nothing shown is above it."""
    samples = [replace(sample(10 - 5 * number, 0, failed=10), rejected=5 * number) for number in range(3)]
    series = draw_failures(samples, NOW)
    assert series.now == pytest.approx(8 / 3)
    assert series.peak == 3.0
    assert all(value is None or value <= series.peak for value in series.values)


def test_plot_stays_inside_its_box_and_shows_gaps() -> None:
    """Every point lies in the box; a gap begins a new line; no value at all draws nothing."""
    plot = draw_plot([0.0, 5.0, None, 10.0])
    numbers = [float(number) for number in re.findall(r"[\d.]+", plot.line)]
    assert all(0 <= x <= WIDTH + 1 for x in numbers[::2])
    assert all(0 <= y <= HEIGHT for y in numbers[1::2])
    assert plot.line.count("M") == plot.area.count("Z") == 2
    assert draw_plot([None, None]).line == ""


@pytest.mark.parametrize(
    ("hours", "status", "level"),
    [(1, "open", "urgent"), (6, "open", "soon"), (20, "new", "ahead"), (-1, "open", "passed"), (1, "lost", "closed")],
)  # fmt: skip
def test_urgency_follows_deadline_and_status(hours: int, status: str, level: str) -> None:
    """What can still be answered and is due soon stands out; what is answered does not."""
    alert = {"respond_by": (NOW + timedelta(hours=hours)).isoformat(), "status": status}
    assert tell_deadline(alert, NOW).level == level
    assert tell_deadline(alert | {"respond_by": None}, NOW).level == "none"


def test_story_tells_every_push_and_attempt_in_order() -> None:
    """Two pushes, one revision, a failed and a successful delivery, and one given up."""
    entry = int(NOW.timestamp() * 1000)

    def receipt(number: int, ending: str) -> dict[str, Any]:
        at = NOW + timedelta(seconds=number)
        return {"entry_id": f"{entry + number * 1000}-0", "ending": ending, "source": "ethoca", "received_at": at,
                "request_id": f"r{number}", "settled_at": at + timedelta(milliseconds=14)}  # fmt: skip

    def attempt(number: int, status: int | None, error: str | None) -> dict[str, Any]:
        return {"number": number, "attempted_at": NOW + timedelta(seconds=number), "status": status, "error": error,
                "milliseconds": 3.0}  # fmt: skip

    delivery = {"id": "d1", "event": "alert.created", "subscription": "shop", "attempts": 2, "due_at": NOW,
                "ended_at": NOW + timedelta(seconds=3), "log": [attempt(1, 503, None), attempt(2, 200, None)],
                "state": "delivered", "held": False}  # fmt: skip
    lost = delivery | {"id": "d2", "state": "given_up", "log": [attempt(1, None, "timeout")]}
    alert = {
        "receipts": [receipt(0, "stored"), receipt(1, "updated")], "deliveries": [delivery, lost],
        "received_at": NOW.isoformat(), "source": "ethoca",
        "revisions": [{"request_id": "r1", "revision": 2, "source": "ethoca", "changed_at": NOW,
                       "changes": {"status": ["open", "resolved"]}}], "left_out": NOTHING_LEFT_OUT,
    }  # fmt: skip
    steps = tell_story(alert)
    assert [step.at for step in steps] == sorted(step.at for step in steps)
    said = [step.what for step in steps]
    assert said[:2] == ["Received from ethoca", "Stored as a new alert"]
    assert sum(what.startswith("Delivered") for what in said) == 1
    assert sum(what.startswith("Not delivered") for what in said) == 2
    assert [step.delivery for step in steps if step.tone == "bad"] == ["d2"]
    (updated,) = (step for step in steps if step.what == "Updated the alert")
    assert updated.changes == [("status", "open", "resolved")]
    assert updated.detail == "14 ms after it was acknowledged, as revision 2"
    assert tell_story(alert | {"receipts": []})[0].what == "Received from ethoca"


@pytest.mark.parametrize(
    ("statuses", "said"),
    [([400], "the answer 400 is final"), ([503, 404], "the answer 404 is final"), ([301], "the answer 301 is final"),
     ([400, 503], "every attempt"), ([429], "every attempt"), ([None], "every attempt"), ([], "every attempt")],
)  # fmt: skip
def test_story_says_why_a_delivery_was_given_up(statuses: list[int | None], said: str) -> None:
    """One final answer is not a schedule that was used up: only the latter mends itself with the service."""
    log = [{"number": number, "attempted_at": NOW, "status": status, "error": None, "milliseconds": 3.0}
           for number, status in enumerate(statuses, 1)]  # fmt: skip
    delivery = {"id": "d1", "event": "alert.created", "subscription": "shop", "attempts": len(log), "due_at": NOW,
                "ended_at": NOW, "log": log, "state": "given_up"}  # fmt: skip
    alert = {"receipts": [], "deliveries": [delivery], "revisions": [], "received_at": NOW.isoformat(), "source": "x",
             "left_out": NOTHING_LEFT_OUT}  # fmt: skip
    assert tell_story(alert)[-1].detail.startswith(said)


def test_all_is_well_only_when_it_is() -> None:
    """Each thing that can be wrong is told of, with what to do next; nothing is when nothing is."""
    assert find_troubles(standing()) == []
    silent = NOW - timedelta(minutes=1)
    wrong: dict[str, dict[str, Any]] = {
        "The journal does not answer": {"stream": None},
        "The journal is full": {"stream": {"full": ["max_entries"], "oldest_age": 0}},
        "The database does not answer": {"present": None},
        "The books do not balance": {"audited": Audited({"balanced": False}, NOW)},
        "have not been looked at": {"looked_at": NOW - timedelta(minutes=2)},
        "have not been audited yet": {"audited": Audited()},
        "have not been audited for 3 h.": {"audited": replace(WELL, at=NOW - timedelta(hours=3))},
        "for 3 h: more than 100,000 entries wait": {
            "audited": replace(WELL, at=NOW - timedelta(hours=3), crowded=True)
        },
        "No drain worker lives": {"workers": [Worker("drain", "a", silent), Worker("forward", "b", NOW)]},
        "No forward worker lives": {"workers": [Worker("drain", "a", NOW)]},
        "No enrich worker lives": {"remote": True},
        "The oldest entry has waited 2 min": {"stream": {"full": [], "oldest_age": 120.0}},
        "2 subscriptions paused": {"present": {"halted": 2}},
        "Deliveries are 5 min late": {"present": {"late": 300.0}},
        "More than 10,000 deliveries given up": {"present": {"given_up": 10_001}},
        "1 rejection open": {"present": {"open": 1}},
        "Server certificate has 3 days left": {"certificates": [Certificate("Server certificate", 3.0, "")]},
        "Client of ethoca has 5 days left": {"certificates": [Certificate("Client of ethoca", 5.0, "", sender=True)]},
        "Client CA: it cannot be read": {"certificates": [Certificate("Client CA", None, "it cannot be read")]},
    }
    for what, found in wrong.items():
        (trouble,) = find_troubles(standing(**found))
        assert what in trouble.what
        assert trouble.advice
        assert trouble.command or trouble.link or "log" in trouble.advice


def test_audits_that_take_long_are_not_overdue() -> None:
    """Books that take half a minute are audited every five: they are overdue only after twice that, and a minute."""
    slow = replace(WELL, every=300.0)
    assert find_troubles(standing(audited=replace(slow, at=NOW - timedelta(seconds=600)))) == []
    (trouble,) = find_troubles(standing(audited=replace(slow, at=NOW - timedelta(seconds=700))))
    assert "audited for 11 min" in trouble.what
    assert find_troubles(standing(audited=replace(WELL, at=NOW - timedelta(seconds=75)))) == []


def test_workers_are_judged_by_when_they_were_looked_at() -> None:
    """A look half a minute ago says nothing against a worker that lived then; one that was silent then is told of."""
    then = NOW - timedelta(seconds=30)
    lived = [Worker("drain", "drain@a/0", then), Worker("forward", "10.0.0.1", then - timedelta(seconds=1))]
    assert find_troubles(standing(looked_at=then, workers=lived)) == []
    (trouble,) = find_troubles(standing(looked_at=NOW, workers=[lived[0], Worker("forward", "10.0.0.1", NOW)]))
    assert trouble.what == "No drain worker lives."


def test_one_trouble_hides_no_other() -> None:
    """A subscription that is paused is no reason to say nothing of others that are late."""
    found = find_troubles(standing(present={"halted": 1, "late": 7200.0, "given_up": 1, "open": 1}))
    assert [trouble.what for trouble in found] == [
        "1 subscription paused or tripped.", "Deliveries are 2 h late.", "1 delivery given up.", "1 rejection open.",
    ]  # fmt: skip


def test_silent_workers_are_remembered_for_a_while() -> None:
    """A worker that was seen stays in the list, so that its silence is seen; one with entries in hand for ever."""
    gone, holding = Worker("drain", "a", NOW - timedelta(hours=1)), Worker("drain", "b", NOW - timedelta(hours=1), 3)
    seen = remember([Worker("forward", "c", NOW - timedelta(seconds=30)), gone], [holding], NOW)
    assert [worker.name for worker in seen] == ["b", "c"]
    assert not any(worker.lives(NOW) for worker in seen)


def test_vendored_script_is_the_published_one() -> None:
    """The library is byte for byte the file whose version and hash stand beside it, with its licence."""
    told = (STATIC / "vendor" / "README.md").read_text()
    script = (STATIC / "vendor" / "htmx.min.js").read_bytes()
    assert re.findall(r"`([0-9a-f]{64})`", told) == [hashlib.sha256(script).hexdigest()]
    (version,) = re.findall(r"npm package `htmx\.org` ([\d.]+)", told)
    assert f'version="{version}"'.encode() in script or f"version='{version}'".encode() in script
    (integrity,) = re.findall(r"`sha512-([A-Za-z0-9+/=]+)`", told)
    assert len(base64.b64decode(integrity)) == 64
    assert "Zero-Clause BSD" in (STATIC / "vendor" / "htmx.LICENSE").read_text()


def test_commands_on_the_pages_are_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a page tells people to type is a command that there is, with options and arguments that it takes."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "FILE").touch()
    told = [
        re.sub(r"{{.*?}}", "NAME", words).split()
        for template in (STATIC.parent / "templates").glob("*.html")
        for words in re.findall(r"<code>alert-intake ([^<]*)</code>", template.read_text())
    ]
    assert len(told) >= 5
    for words in told:
        command: click.Command | None = main
        context, name, rest = None, None, words
        while isinstance(command, click.Group):
            context = click.Context(command, parent=context)
            name, command, rest = command.resolve_command(context, rest)
        assert command is not None
        command.make_context(name, rest, parent=context).close()  # or it raises a UsageError


def test_templates_run_and_style_nothing_by_themselves() -> None:
    """No template has a script, a style or a handler in it: the policy of the pages would block them, silently."""
    for template in (STATIC.parent / "templates").glob("*.html"):
        text = template.read_text()
        assert not re.search(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son[a-z]+=|hx-on|javascript:|\bhx-vals", text), (
            template
        )
        assert not re.search(r"https?://(?!…)", text), template
        assert "|safe" not in text, template


@pytest.mark.parametrize(
    ("neighbours", "said"),
    [
        (Neighbours("ready", broker=True), []),
        (Neighbours(), []),
        (Neighbours("refuses", broker=True), ["The door takes no pushes."]),
        (Neighbours("silent", broker=True), ["The door's platform listener does not answer."]),
        (Neighbours("ready", broker=False), ["The broker does not answer: no worker is told to work."]),
    ],
)
def test_door_and_broker_are_looked_after(neighbours: Neighbours, said: list[str]) -> None:
    """Neither shows in the journal or in the database, and without either nothing goes on."""
    assert [trouble.what for trouble in find_troubles(standing(neighbours=neighbours))] == said


def test_one_cause_is_told_once() -> None:
    """Nobody is told to start workers that lack their broker; a door without its journal is no second trouble."""
    without_broker = find_troubles(standing(neighbours=Neighbours(broker=False), workers=[]))
    assert ["worker lives" in trouble.what for trouble in without_broker] == [False]
    without_journal = find_troubles(standing(neighbours=Neighbours("refuses"), stream=None))
    assert [trouble.what for trouble in without_journal] == ["The journal does not answer."]
