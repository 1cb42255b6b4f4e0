"""Keep the parts of the stack running: start each, wait until it answers, start again what ended, stop them all."""

import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from deploy.embedded.children import NotStarted, has_ended, last_line, stop_children

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 4.0  # seconds: what was killed again and again is back soon; a hopeless start costs little here
STEADY_SECONDS = 20.0
HOPELESS_STARTS = 3


@dataclass(frozen=True, slots=True)
class Part:
    """One program of the stack.

    begin    starts it and returns at once, or, for an engine, when it answers
    answers  asks whether it does its work already
    explain  returns one line about why it ended, for people
    last     it is stopped in the second wave, after those that use it
    """

    name: str
    begin: Callable[[], subprocess.Popen[bytes]]
    answers: Callable[[], bool] = lambda: True
    explain: Callable[[], str] = lambda: ""
    stop_signal: signal.Signals = signal.SIGTERM
    last: bool = False


@dataclass(slots=True)
class Running:
    """A part and its present process. `starts` counts those since it last ran steadily."""

    part: Part
    process: subprocess.Popen[bytes]
    since: float
    starts: int = 1
    due: float | None = None

    def postpone(self) -> float:
        """Have it started again after a pause, which is returned, in seconds."""
        pause: float = min(FIRST_PAUSE * 2**self.starts, LONGEST_PAUSE)
        self.due = time.monotonic() + pause
        return pause


@dataclass(slots=True)
class Supervisor:
    """Every part that was started. Call it from the main thread only: the children live as long as that thread."""

    say: Callable[[str], None]
    running: list[Running] = field(default_factory=list)

    def start(self, part: Part) -> None:
        """Start a part; `tend` looks after it from now on."""
        self.running.append(Running(part, part.begin(), time.monotonic()))

    def wait_until_all_answer(self, seconds: float) -> None:
        """Wait until every part does its work. Raises NotStarted naming the first that does not, and why."""
        deadline = time.monotonic() + seconds
        waiting = list(self.running)
        while waiting:
            self.tend()
            for one in waiting:
                if one.starts >= HOPELESS_STARTS:
                    raise NotStarted(f"{one.part.name} does not start: {one.part.explain()}")
            waiting = [one for one in waiting if one.due is not None or not one.part.answers()]
            if waiting and time.monotonic() > deadline:
                names = ", ".join(one.part.name for one in waiting)
                raise NotStarted(f"no answer within {seconds:.0f} s from {names}: {waiting[0].part.explain()}")
            time.sleep(0.05)

    def tend(self) -> None:
        """Start again, after a pause that doubles each time, whatever has ended. Returns at once."""
        now = time.monotonic()
        for one in self.running:
            if one.due is not None:
                if now >= one.due:
                    self.restart(one)
            elif has_ended(one.process):
                if now - one.since > STEADY_SECONDS:
                    one.starts = 0
                stop_children([(one.process, signal.SIGKILL)], 0)
                pause = one.postpone()
                how = how_it_ended(one.process.returncode)
                self.say(f"{one.part.name} ended {how}; starting it again in {pause:g} s: {one.part.explain()}")

    def restart(self, one: Running) -> None:
        """Start a part once more; when that fails, try again later."""
        one.starts += 1
        try:
            one.process = one.part.begin()
        except NotStarted as error:
            one.postpone()
            self.say(str(error))
            return
        one.since, one.due = time.monotonic(), None

    def stop(self, first: float, second: float) -> None:
        """Stop everything: what does the work within `first` seconds, then what it used within `second`."""
        for last, patience in ((False, first), (True, second)):
            children = [(one.process, one.part.stop_signal) for one in self.running if one.part.last is last]
            stop_children(children, patience)
        self.running.clear()


def how_it_ended(status: int | None) -> str:
    """Say how a process ended."""
    if status is not None and status < 0:
        return f"by signal {signal.Signals(-status).name}"
    return f"with exit status {status}"


def explain_by(log: Path) -> Callable[[], str]:
    """Return what explains an end by the last line of the log."""
    return lambda: f"{last_line(log)[:300]} (log: {log})"
