"""Group commit, with a journal that does as it is told: who shares an append, and what becomes of each push."""

from collections.abc import Callable, Sequence

import gevent
import pytest
from gevent.event import Event

from ingress.journal import commit
from ingress.journal.commit import GroupCommit
from schemas.journal.append import JournalUnavailable, Outcome
from schemas.journal.envelope import Fields
from schemas.journal.room import JournalFull


class ScriptedJournal:
    """Notes each batch and answers when it is let go: with the entries' own names as their ids."""

    def __init__(self) -> None:
        self.batches: list[list[bytes]] = []
        self.go = Event()
        self.faults: dict[bytes, BaseException] = {}
        self.refused = b""
        self.at_end: Callable[[], object] = bool

    def append(self, batch: Sequence[Fields]) -> list[Outcome]:
        """Append a batch."""
        names = [fields[b"b"] for fields in batch]
        self.batches.append(names)
        self.go.wait()
        self.at_end()
        for name in names:
            if name in self.faults:
                raise self.faults[name]
        return [JournalUnavailable("OOM") if name == self.refused else name.decode() for name in names]


@pytest.fixture
def journal() -> ScriptedJournal:
    """Return a journal that waits."""
    return ScriptedJournal()


@pytest.fixture
def commits(journal: ScriptedJournal) -> GroupCommit:
    """Return group commit into that journal."""
    return GroupCommit(journal.append, 1.0)


def push(commits: GroupCommit, *names: str) -> list[gevent.Greenlet]:
    """Let pushes come, in this order, and go as far as they can."""

    def append(name: str) -> str:
        try:
            return commits.append({b"b": name.encode()})
        except JournalUnavailable as error:
            return f"{type(error).__name__}: {error}"

    pushes = [gevent.spawn(append, name) for name in names]
    gevent.sleep(0)
    return pushes


def results(pushes: list[gevent.Greenlet]) -> list[str]:
    """Wait for the outcome of each push."""
    gevent.joinall(pushes, timeout=5)
    return [greenlet.value for greenlet in pushes]


def test_lone_push_waits_for_nobody(commits: GroupCommit, journal: ScriptedJournal) -> None:
    """A push that comes alone is appended at once, in its own greenlet."""
    journal.go.set()
    assert commits.append({b"b": b"a"}) == "a"
    assert commits.append({b"b": b"b"}) == "b"
    assert journal.batches == [[b"a"], [b"b"]]


def test_under_load_those_that_are_here_share_an_append(commits: GroupCommit, journal: ScriptedJournal) -> None:
    """After an append that was shared the next one waits for what is about to come, and after a lone one no more."""
    pushes = push(commits, "a", "b", "c")
    journal.go.set()
    assert results(pushes) == ["a", "b", "c"]
    assert results(push(commits, "d", "e", "f")) == ["d", "e", "f"]
    assert results(push(commits, "g")) == ["g"]
    assert results(push(commits, "h", "i")) == ["h", "i"]
    assert journal.batches == [[b"a"], [b"b", b"c"], [b"d", b"e", b"f"], [b"g"], [b"h"], [b"i"]]


def test_gathering_ends_also_when_there_is_always_something_to_do(
    commits: GroupCommit, journal: ScriptedJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a process that is never idle an append takes along what comes for a while, and then waits no longer."""
    monkeypatch.setattr(commit, "GATHER_SECONDS", 0.3)
    pushes = push(commits, "a", "b", "c")
    journal.go.set()
    results(pushes)
    busy = gevent.spawn(be_busy)
    try:
        (leader,) = push(commits, "d")
        gevent.sleep(0.02)
        assert results([leader, *push(commits, "e")]) == ["d", "e"]
    finally:
        busy.kill()
    assert journal.batches[2:] == [[b"d", b"e"]]


def be_busy() -> None:
    """Have something to do at every turn of the loop."""
    while True:
        gevent.sleep(1e-9)


def test_who_is_killed_while_others_come_leads_no_more(commits: GroupCommit, journal: ScriptedJournal) -> None:
    """A push that ends before its append has begun is not appended; the next one leads."""
    pushes = push(commits, "a", "b", "c")
    journal.go.set()
    results(pushes)
    killed, other = push(commits, "d", "e")
    killed.kill()
    assert results([other]) == ["e"]
    assert journal.batches == [[b"a"], [b"b", b"c"], [b"e"]]


def test_those_that_wait_share_an_append(commits: GroupCommit, journal: ScriptedJournal) -> None:
    """What comes during an append goes together with the next one, in order, and each push gets its own entry's id."""
    pushes = push(commits, "a", "b", "c", "d")
    assert journal.batches == [[b"a"]]
    journal.go.set()
    assert results(pushes) == ["a", "b", "c", "d"]
    assert journal.batches == [[b"a"], [b"b", b"c", b"d"]]


def test_one_refused_among_others(commits: GroupCommit, journal: ScriptedJournal) -> None:
    """An entry that Redis refused is refused, and those beside it are not."""
    journal.refused = b"c"
    pushes = push(commits, "a", "b", "c", "d")
    journal.go.set()
    assert results(pushes) == ["a", "b", "JournalUnavailable: OOM", "d"]


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (JournalUnavailable("the connection is gone"), "JournalUnavailable: the connection is gone"),
        (JournalFull("full"), "JournalFull: full"),
        (gevent.GreenletExit(), "JournalUnavailable: the append was broken off"),
    ],
)
def test_broken_append_refuses_all_of_it(
    commits: GroupCommit, journal: ScriptedJournal, fault: BaseException, told: str
) -> None:
    """Without the proof nobody of a batch is promised anything, and the next batch goes on."""
    journal.faults[b"c"] = fault
    pushes = push(commits, "a", "b", "c")
    journal.go.set()
    first, leader, follower = results(pushes)
    assert (first, follower) == ("a", told)
    assert leader in {told, None} or isinstance(leader, gevent.GreenletExit)
    assert results(push(commits, "d")) == ["d"]
    assert journal.batches == [[b"a"], [b"b", b"c"], [b"d"]]


def test_killed_leader_refuses_its_batch_only(commits: GroupCommit, journal: ScriptedJournal) -> None:
    """A leader that is killed in the middle of its append takes nobody who comes later with it."""
    pushes = push(commits, "a", "b", "c")
    pushes[0].kill()
    journal.go.set()
    assert results(pushes[1:]) == ["b", "c"]
    assert journal.batches == [[b"a"], [b"b", b"c"]]


def test_killed_while_waiting(commits: GroupCommit, journal: ScriptedJournal) -> None:
    """Who is killed while it waits is not appended, and holds up nobody."""
    first, second, third = push(commits, "a", "b", "c")
    second.kill()
    journal.go.set()
    assert results([first, third]) == ["a", "c"]
    assert journal.batches == [[b"a"], [b"c"]]


def test_killed_in_the_moment_of_its_turn(commits: GroupCommit, journal: ScriptedJournal) -> None:
    """Who is killed after it was made the leader and before it knows leaves the turn to the next one."""
    first, second, third = push(commits, "a", "b", "c")
    journal.at_end = lambda: second.kill(block=False)
    journal.go.set()
    assert results([first, third]) == ["a", "c"]
    assert journal.batches == [[b"a"], [b"c"]]
    assert commits.append({b"b": b"d"}) == "d"


def test_who_waited_too_long_is_refused(journal: ScriptedJournal) -> None:
    """A push whose turn comes later than its patience is not appended any more."""
    commits = GroupCommit(journal.append, 0.02)
    pushes = push(commits, "a", "b")
    gevent.sleep(0.05)
    late = push(commits, "c")
    journal.go.set()
    assert results(pushes + late) == ["a", "JournalUnavailable: too many pushes wait for the journal", "c"]
    assert journal.batches == [[b"a"], [b"c"]]


def test_appends_are_bounded(commits: GroupCommit, journal: ScriptedJournal, monkeypatch: pytest.MonkeyPatch) -> None:
    """One append holds so many entries and so many bytes at most, but a large entry goes alone."""
    monkeypatch.setattr(commit, "BATCH_ENTRIES", 3)
    monkeypatch.setattr(commit, "BATCH_BYTES", 10)
    names = ["a", "b", "c", "d", "eeeeeeee", "ff", "g" * 20, "h"]
    pushes = push(commits, *names)
    journal.go.set()
    assert results(pushes) == names
    sizes = [[len(name) for name in batch] for batch in journal.batches]
    assert sizes == [[1], [1, 1, 1], [8, 2], [20], [1]]
