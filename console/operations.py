"""Note what people do by hand: every write that an operator asks for leaves who, when, what and why."""

import os
import pwd
from typing import Any

from console.connections import Database

CONSOLE = "console"  # the actor of whatever comes with the console's token


def name_operator() -> str:
    """Return the user of the operating system that runs this command: by the account, which no variable can change."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # in a container the account often has no name
        return f"uid {os.getuid()}"


def note_operation(database: Database, actor: str, action: str, subject: str, note: str | None = None) -> None:
    """Note one operation, in the transaction that does it. `note` holds no secret and no card number."""
    database.execute(
        "INSERT INTO operations (actor, action, subject, note) VALUES (%s, %s, %s, %s)", [actor, action, subject, note]
    )


def read_operations(database: Database, subject: str) -> list[dict[str, Any]]:
    """Return what was done to a subject, the earliest first."""
    return database.execute(
        "SELECT at, actor, action, note FROM operations WHERE subject = %s ORDER BY id", [subject]
    ).fetchall()
