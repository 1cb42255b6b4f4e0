"""`alert-intake push`: be a sender."""

import os
from collections.abc import Sequence
from typing import BinaryIO

import click
import orjson

from console.report import print_json, print_table, reporting
from console.sender import Sender, guess_source
from console.terminal.trial import Tally, run_trial
from console.unreachable import Refused


@click.command()
@reporting
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.File("rb"))
@click.option("--source", help="Push as this source; by default ethoca or reseller, by the shape of the body.")
@click.option(
    "--times", type=click.IntRange(1), help="A trial load: push one FILE so often, each with an id of its own."
)
@click.option(
    "--connections", type=click.IntRange(1, 256), default=8, show_default=True, help="At the same time, with --times."
)
@click.pass_context
def push(
    ctx: click.Context,
    as_json: bool,
    files: Sequence[BinaryIO],
    source: str | None,
    times: int | None,
    connections: int,
) -> None:
    """Push each FILE (- for stdin) through the door over mutual TLS, and print what it answers.

    Takes PUSH_URL, CA_CERT, CLIENT_CERT, CLIENT_KEY and <SOURCE>_BASIC or <SOURCE>_API_KEY from the environment or
    ./var/run.env. Exit status 0 only when every push was acknowledged.
    """
    if times is not None:
        if len(files) != 1:
            raise Refused("--times takes one FILE")
        body = files[0].read()
        report_trial(ctx, run_trial(body, source or guess_source(body), os.environ, times, connections), as_json)
        return
    answers = []
    for file in files:
        body = file.read()
        speaker = source or guess_source(body)
        with Sender(speaker, os.environ) as sender:
            answers.append((file.name, speaker, sender.push(body)))
    if as_json:
        print_json(
            [
                {"file": name, "source": speaker, "status": answer.status, "acknowledged": answer.acknowledged,
                 "request_id": answer.request_id, "milliseconds": round(answer.milliseconds, 1), "answer": answer.body}
                for name, speaker, answer in answers
            ]
        )  # fmt: skip
    else:
        print_table(
            ("file", "source", "status", "answer", "ms", "X-Request-Id"),
            (
                (
                    name,
                    speaker,
                    answer.status,
                    orjson.dumps(answer.body).decode(),
                    answer.milliseconds,
                    answer.request_id,
                )
                for name, speaker, answer in answers
            ),
        )
    if not all(answer.acknowledged for _, _, answer in answers):
        ctx.exit(1)


def report_trial(ctx: click.Context, tally: Tally, as_json: bool) -> None:
    """Print what became of a trial load. Exit status 1 unless every push was acknowledged."""
    facts = tally.summarise()
    if as_json:
        print_json(facts)
    else:
        print_table(("pushes", "acknowledged", "a second", "ms, median", "ms, 99 of 100"), [
            (facts["pushes"], facts["acknowledged"], facts["per_second"], facts["p50"], facts["p99"])
        ])  # fmt: skip
        for what, count in facts["failures"].items():
            click.echo(f"{count} x {what}")
    if facts["acknowledged"] != facts["pushes"]:
        ctx.exit(1)
