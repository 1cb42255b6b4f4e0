"""What `status --watch` makes of its looks: rates, small plots, advice."""

from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from rich.console import Console

from console.books.workers import Worker
from console.terminal.look import Look
from console.terminal.rates import advise, draw_bars, rate_looks
from console.terminal.watch import draw


def look(at: float, added: int | None = 0, waiting: int = 0, processors: float = 0.1, **more: object) -> Look:
    """Return a look at which so much was added and waits."""
    journal: dict[str, object] = {"entries": waiting, "pending": 0, "oldest_age": 0.0, "memory_share": None, "full": []}
    endings = {"stored": 10 * int(at), "rejected": int(at)}
    return Look(at, added, journal, endings, {}, processors=processors, **more)  # type: ignore[arg-type] # by name


def test_rates_are_per_second_of_the_time_between_looks() -> None:
    """Counters are divided by the time that went by, attempts of a look likewise."""
    rates = rate_looks([look(0, 100), look(2, 300, delivered=8, failed=1), look(3, 310)])
    assert rates.added == [100.0, 10.0]
    assert rates.stored == [10.0, 10.0]
    assert rates.ended == [11.0, 11.0]
    assert (rates.delivered, rates.failed) == ([4.0, 0.0], [0.5, 0.0])


def test_nothing_is_claimed_where_nothing_is_known() -> None:
    """A silent server and a journal that began anew leave a gap, not a zero and not a negative rate."""
    gone = Look(2.0, silent={"journal": "refused"})
    rates = rate_looks([look(0, 100), look(1, 50), gone, look(3, 60)])
    assert rates.added == [None, None, None]
    assert rates.delivered == [0.0, None, 0.0]
    assert draw_bars([None, 1.0, None, 2.0]) == " ▄ █"


@pytest.mark.parametrize(
    ("values", "drawn"),
    [([], ""), ([0.0, 0.0], "▁▁"), ([0.0, 7.0], "▁█"), ([1.0] * 100, "█" * 60)],
)
def test_bars_are_drawn_up_to_the_highest_value(values: list[float], drawn: str) -> None:
    """The highest value is a full block; only the latest looks are drawn."""
    assert draw_bars(values) == drawn


@pytest.mark.parametrize(("processors", "said"), [(0.97, "another machine"), (0.4, "more processes")])
def test_growing_backlog_is_told_with_what_helps(processors: float, said: str) -> None:
    """Where the processors are full another process gains nothing, and the advice says so."""
    drains = [Worker("drain", "drain@test/0", datetime.now(UTC))]
    looks = [look(at, waiting=1000 * (at + 1), processors=processors, workers=drains) for at in range(5)]
    assert [
        said in line for line in advise(looks, rate_looks(looks), datetime.now(UTC)) if "backlog grows" in line
    ] == [True]


def test_all_well_says_nothing_but_what_is_seen() -> None:
    """With nothing waiting there is no advice; entries without any drain that lives are told."""
    now = datetime.now(UTC)
    assert advise([look(0)], rate_looks([look(0)]), now) == []
    assert "no drain worker" in advise([look(0, waiting=3)], rate_looks([look(0)]), now)[0]
    dead = [Worker("drain", "drain@test/0", now - timedelta(hours=3))]
    looks = [look(at, waiting=1000 * (at + 1), workers=dead) for at in range(5)]
    assert ["no drain worker" in line for line in advise(looks, rate_looks(looks), now)] == [True]
    assert not any("no drain worker" in line for line in advise(looks, rate_looks(looks), now - timedelta(hours=3)))


def test_backfill_has_a_bar_while_it_is_under_way() -> None:
    """Half done it is half a bar with the numbers; with none under way the screen does not speak of it."""

    def show(**more: object) -> str:
        console = Console(width=100, record=True, file=StringIO())
        console.print(draw([look(0, **more)], 1.0))  # type: ignore[arg-type] # by name
        return console.export_text()

    (line,) = (line for line in show(backfills=[{"name": "links", "done": 500, "until": 1000}]).splitlines()
               if "links" in line)  # fmt: skip
    assert "50.0%, 500 of 1,000" in line
    assert "\N{BOX DRAWINGS HEAVY HORIZONTAL}" * 20 in line
    assert "back-fill" not in show()


def test_silent_server_is_named() -> None:
    """Why a server does not answer is the first thing to be told."""
    gone = Look(0.0, silent={"database": "connection refused"})
    assert advise([gone], rate_looks([gone]), datetime.now(UTC)) == ["database does not answer: connection refused"]
