"""`alert-intake rejections replay`: one rejection, unchanged or corrected, or many by reason and time."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from typing import BinaryIO

import click
from rich.console import Console
from rich.progress import Progress

from console.commands.alerts import Moment
from console.connections import open_database, open_redis
from console.operations import name_operator
from console.rejections.bulk import Left, Waiting, bound_sought, replay_matching
from console.rejections.queries import Sought
from console.rejections.replay import Desk, Replay, replay_rejection
from console.report import print_json, reporting
from console.unreachable import Refused, Unreachable
from schemas.journal.append import JournalUnavailable
from schemas.journal.room import JournalFull
from schemas.keyring import load_keyring
from schemas.settings.configuration import load_configuration


@click.command("replay")
@reporting
@click.argument("rejection_id", metavar="[ID]", required=False)
@click.option("--body", type=click.File("rb"), metavar="FILE", help="Replay this corrected body (- for stdin).")
@click.option("--again", is_flag=True, help="Also when it was replayed or discarded already.")
@click.option("--reason", help="Instead of ID: every open rejection for this reason ...")
@click.option("--source", help="... from this source ...")
@click.option("--since", type=Moment(), help="... rejected then or later ...")
@click.option("--until", type=Moment(), help="... and before then; by default: until now.")
@click.option("--wait", type=click.FloatRange(min=0), default=600.0, show_default=True, metavar="SECONDS",
              help="Replaying many: how long to wait while the journal is full.")  # fmt: skip
@click.pass_context
def replay_command(
    ctx: click.Context,
    as_json: bool,
    rejection_id: str | None,
    body: BinaryIO | None,
    again: bool,
    reason: str | None,
    source: str | None,
    since: datetime | None,
    until: datetime | None,
    wait: float,
) -> None:
    """Send a rejection through the journal again, like any push: its body as it was, or a corrected one.

    With --reason and --since instead of ID: every open one that fits, the oldest first. Interrupted, start it again.
    Exit status 1 when any could not be replayed.
    """
    many = any(given is not None for given in (reason, source, since, until))
    if bool(rejection_id) == many or (many and (body is not None or again or reason is None or since is None)):
        raise Refused("replay: give an ID (perhaps with --body or --again), or --reason and --since for many")
    with open_desk() as desk:
        if rejection_id:
            corrected = None if body is None else body.read()
            replay_one(desk, rejection_id, corrected, again=again, as_json=as_json)
        elif not replay_many(desk, Sought("open", reason, source, since, until), wait, as_json=as_json):
            ctx.exit(1)


def replay_one(desk: Desk, rejection_id: str, corrected: bytes | None, *, again: bool, as_json: bool) -> None:
    """Replay one rejection and report its new request id."""
    done = replay_rejection(desk, rejection_id, corrected, even_closed=again)
    if as_json:
        print_json(asdict(done))
    else:
        click.echo(f"replayed {done.rejection_id} as request {done.request_id} (entry {done.entry_id})")


def replay_many(desk: Desk, sought: Sought, patience: float, *, as_json: bool) -> bool:
    """Replay all that is sought, with a progress bar on stderr, and report. Return whether none was left open."""
    sought, found = bound_sought(desk.database, sought)
    replayed, left, closed, waited = 0, [], 0, 0
    with Progress(console=Console(stderr=True), disable=as_json) as progress:
        bar = progress.add_task("replaying", total=found)
        for step in replay_matching(desk, sought, patience, time.sleep):
            if isinstance(step, Waiting):
                waited += 1
                progress.update(bar, description="waiting: the journal is full")
                continue
            replayed += isinstance(step, Replay)
            if isinstance(step, Left) and step.closed:
                closed += 1
            elif isinstance(step, Left):
                left.append({"id": step.rejection_id, "why": step.why})
            progress.update(bar, advance=1, description="replaying")
    if as_json:
        print_json({"found": found, "replayed": replayed, "closed_meanwhile": closed, "left": left,
                    "waited_seconds": waited})  # fmt: skip
        return not left
    for one in left:
        click.echo(f"left open: {one['why']}", err=True)
    click.echo(f"replayed {replayed} of {found}" + (f"; {closed} were closed by somebody else" if closed else ""))
    return not left


@contextmanager
def open_desk() -> Iterator[Desk]:
    """Connect to what a replay needs. A journal that does not take the entry is one line that says what to do."""
    configuration = load_configuration()
    keyring = load_keyring(configuration.sealing)
    with open_redis("JOURNAL_URL") as journal, open_database(writable=True) as database:
        try:
            yield Desk(database, journal, configuration, keyring, name_operator())
        except JournalFull as error:
            raise Unreachable(f"not replayed, and still open: {error}; try again once drains have made room") from error
        except JournalUnavailable as error:
            raise Unreachable(
                f"the journal did not confirm the entry ({error}); the rejection stays open, and replaying it again "
                "is safe: what is there twice ends as a duplicate"
            ) from error
