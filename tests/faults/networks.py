"""Faults of the lines between the parts: a second stack reaches the servers of the first through proxies.

So do its senders reach its door, and its forward worker the receiver.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tests.e2e.running import Account, Stack
from tests.faults.beside import make_databases
from tests.faults.proxy import Proxy
from tests.faults.site import TASK_SECONDS, Site
from tests.faults.trial import Fault

CUT_SECONDS = 3.0
DELAYED_SECONDS = 5.0
DELAY = 0.2  # seconds, each way
PATIENCE = 15.0  # seconds that a sender waits before it takes a connection for dead


@dataclass(slots=True)
class Lines:
    """The proxies: before the three servers, before the door, and before the receiver."""

    journal: Proxy
    broker: Proxy
    postgres: Proxy
    door: Proxy
    receiver: Proxy


@contextlib.contextmanager
def run_behind_proxies(site: Site, folder: Path) -> Iterator[tuple[Site, Lines]]:
    """Run a second stack on databases of its own in the servers of the first, each behind a proxy."""
    own = make_databases(site, "behind_proxies", 1)
    with contextlib.ExitStack() as opened:
        proxies = {name: opened.enter_context(proxy_for(url)) for name, url in own.items()}
        environment = {name: through(url, proxies[name]) for name, url in own.items()}
        stack = Stack(folder / "behind", folder / "behind.output", Account(environment=environment))
        behind = Site(opened.enter_context(stack.running()), site.broker)
        door, receiver = (opened.enter_context(proxy_for(behind.run[name])) for name in ("PUSH_URL", "RECEIVER_URL"))
        behind.run["PUSH_URL"] = through(behind.run["PUSH_URL"], door)
        behind.query("UPDATE subscriptions SET url = %s RETURNING id", through(behind.run["RECEIVER_URL"], receiver))
        yield behind, Lines(proxies["JOURNAL_URL"], proxies["BROKER_URL"], proxies["DATABASE_URL"], door, receiver)


def proxy_for(url: str) -> Proxy:
    """Return a proxy before the server with that address."""
    return Proxy(int(urlsplit(url).port or 0))


def through(url: str, proxy: Proxy) -> str:
    """Return an address with the proxy's port."""
    parts = urlsplit(url)
    place = parts.netloc.rpartition(":")[0]
    return parts._replace(netloc=f"{place}:{proxy.port}").geturl()


def cut(proxy: Proxy) -> None:
    """Cut the line for a while."""
    proxy.cut()
    time.sleep(CUT_SECONDS)
    proxy.restore()


def delay(proxy: Proxy) -> None:
    """Slow the line down for a while."""
    proxy.delay = DELAY
    time.sleep(DELAYED_SECONDS)
    proxy.restore()


def deaden(proxy: Proxy) -> None:
    """Let what is connected now go dead for ever, both sides believing it open. Look when running tasks have ended."""
    proxy.deaden()
    time.sleep(TASK_SECONDS + 1)


@dataclass(frozen=True, slots=True)
class Disturbance:
    """What is done to which line. `refusing`: pushes may fail twice by it."""

    line: str
    kind: str
    act: Callable[[Proxy], None]
    refusing: bool = False

    def on(self, lines: Lines) -> Fault:
        """Return it as a fault of these lines."""
        proxy: Proxy = getattr(lines, self.line)
        return Fault(self.name, lambda _site: self.act(proxy), steady=not self.refusing, patience=PATIENCE)

    @property
    def name(self) -> str:
        """Its name in the table."""
        return f"the line {LINES[self.line]} {self.kind}"


LINES = {
    "journal": "to the journal",
    "broker": "to the broker",
    "postgres": "to PostgreSQL",
    "door": "from senders to the door",
    "receiver": "from forward to a receiver",
}
CUT, SLOWED, HALF_OPEN = "cut 3 s", "slowed by 200 ms each way", "half-open"
KINDS = {CUT: cut, SLOWED: delay, HALF_OPEN: deaden}
DISTURBANCES = [
    Disturbance(line, kind, act, refusing=line == "journal" or (line, kind) == ("door", CUT))
    for line in LINES
    for kind, act in KINDS.items()
]
