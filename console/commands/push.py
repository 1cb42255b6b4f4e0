"""`alert-intake push`: be a sender."""

import os
from collections.abc import Sequence
from typing import BinaryIO

import click
import orjson

from console.report import print_json, print_table, reporting
from console.sender import guess_source, push_body


@click.command()
@reporting
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.File("rb"))
@click.option("--source", help="Push as this source; by default ethoca or reseller, by the shape of the body.")
@click.pass_context
def push(ctx: click.Context, as_json: bool, files: Sequence[BinaryIO], source: str | None) -> None:
    """Push each FILE (- for stdin) through the door over mutual TLS, and print what it answers.

    Takes PUSH_URL, CA_CERT, CLIENT_CERT, CLIENT_KEY and <SOURCE>_BASIC or <SOURCE>_API_KEY from the environment or
    ./var/run.env. Exit status 0 only when every push was acknowledged.
    """
    answers = []
    for file in files:
        body = file.read()
        speaker = source or guess_source(body)
        answer = push_body(body, speaker, os.environ)
        answers.append((file.name, speaker, answer))
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
