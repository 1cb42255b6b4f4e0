"""Faults of the lines between the parts: a second stack reaches the servers of the first through proxies."""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tests.e2e.running import Account, Stack
from tests.faults.proxy import Proxy
from tests.faults.site import TASK_SECONDS, Site
from tests.faults.trial import Fault

CUT_SECONDS = 3.0
DELAYED_SECONDS = 5.0
DELAY = 0.2  # seconds, each way
DATABASE = "behind_proxies"


@dataclass(slots=True)
class Lines:
    """The proxies before the three servers."""

    journal: Proxy
    broker: Proxy
    postgres: Proxy


@contextlib.contextmanager
def run_behind_proxies(site: Site, folder: Path) -> Iterator[tuple[Site, Lines]]:
    """Run a second stack on databases of its own in the servers of the first, each behind a proxy."""
    run = site.run
    with site.database() as database:
        database.execute(f"CREATE DATABASE {DATABASE}".encode())
    with contextlib.ExitStack() as opened:
        urls = (run["JOURNAL_URL"], site.broker.url, run["DATABASE_URL"])
        journal, broker, postgres = (opened.enter_context(Proxy(int(urlsplit(url).port or 0))) for url in urls)
        environment = {
            "JOURNAL_URL": through(urls[0], journal, "1"),
            "BROKER_URL": through(urls[1], broker, "1"),
            "DATABASE_URL": through(urls[2], postgres, DATABASE),
        }
        stack = Stack(folder / "behind", folder / "behind.output", Account(environment=environment))
        with stack.running():
            yield Site(stack, site.broker), Lines(journal, broker, postgres)


def through(url: str, proxy: Proxy, database: str) -> str:
    """Return an address with the proxy's port and another database."""
    parts = urlsplit(url)
    place = parts.netloc.rpartition(":")[0]
    return parts._replace(netloc=f"{place}:{proxy.port}", path=f"/{database}").geturl()


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
    """What is done to which line. Only a disturbed line to the journal may make the door refuse."""

    line: str
    kind: str
    act: Callable[[Proxy], None]

    def on(self, lines: Lines) -> Fault:
        """Return it as a fault of these lines."""
        proxy: Proxy = getattr(lines, self.line)
        return Fault(self.name, lambda _site: self.act(proxy), steady=self.line != "journal")

    @property
    def name(self) -> str:
        """Its name in the table."""
        return f"the line to the {self.line} {self.kind}"


KINDS = {"cut 3 s": cut, "slowed by 200 ms each way": delay, "half-open": deaden}
DISTURBANCES = [
    Disturbance(line, kind, act) for line in ("journal", "broker", "postgres") for kind, act in KINDS.items()
]
