"""`alert-intake keys`: what each sealing key seals, and sealing what is kept anew with the first."""

from collections import Counter
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress

from console.connections import open_database, open_redis
from console.keys.reseal import reseal_everything
from console.keys.uses import PLACES, Uses, count_uses
from console.operations import name_operator, note_operation
from console.report import print_json, print_table, reporting
from schemas.keyring import load_keyring
from schemas.settings.configuration import load_configuration


@click.group()
def keys() -> None:
    """List the sealing keys by what they seal; seal what is kept anew with the first."""


@keys.command("list")
@reporting
@click.pass_context
def list_command(ctx: click.Context, as_json: bool) -> None:
    """Show how much is sealed with each key. Reads everything that is sealed.

    Exit status 1 when something is sealed with a key that is not configured.
    """
    configuration = load_configuration()
    keyring = load_keyring(configuration.sealing)
    with open_redis("JOURNAL_URL") as journal, open_database() as database:
        uses = count_uses(database, journal, configuration.journal.stream)
    rows = describe_keys(keyring.key_ids, uses)
    if as_json:
        print_json({"keys": rows})
    else:
        show_keys(rows)
    if any(row["role"] in {"missing", "unsealed"} for row in rows):
        ctx.exit(1)


@keys.command("rotate")
@reporting
@click.pass_context
def rotate_command(ctx: click.Context, as_json: bool) -> None:
    """Seal everything that is kept with the first configured key, and say which others may be removed.

    First put the new key in front and restart every part (docs/keys.md). Interrupted, start it again. Exit status 1
    while another key is still in use, be it for entries that wait in the journal.
    """
    configuration = load_configuration()
    keyring = load_keyring(configuration.sealing)
    resealed: Counter[str] = Counter()
    unopened: Counter[str] = Counter()
    with open_redis("JOURNAL_URL") as journal, open_database(writable=True) as database:
        total = sum(sum(keys.values()) for keys in count_uses(database, journal, configuration.journal.stream).values())
        with database.transaction():
            note_operation(database, name_operator(), "begin to rotate", "sealing keys", f"to key {keyring.key_ids[0]}")
        with Progress(console=Console(stderr=True), disable=as_json) as progress:
            bar = progress.add_task("sealing anew", total=total)
            for page in reseal_everything(database, keyring):
                resealed[page.table] += page.resealed
                unopened[page.table] += page.unopened
                progress.update(bar, advance=page.read, description=page.table)
        with database.transaction():
            note = f"{sum(resealed.values())} sealed anew with key {keyring.key_ids[0]}"
            note_operation(database, name_operator(), "rotate", "sealing keys", note)
        rows = describe_keys(keyring.key_ids, count_uses(database, journal, configuration.journal.stream))
    removable = [row["key"] for row in rows if row["role"] == "removable"]
    well = all(row["role"] in {"seals", "removable"} for row in rows)
    if as_json:
        print_json({"resealed": resealed, "unopened": unopened, "keys": rows, "removable": removable, "done": well})
    else:
        show_keys(rows)
        click.echo(f"sealed anew: {sum(resealed.values())}; could not be opened: {sum(unopened.values())}")
        click.echo(f"no longer in use, may be removed: {', '.join(removable) or 'none'}")
        if not well:
            click.echo("Something is still sealed with another key. Is every part restarted, is the journal drained?")
    if not well:
        ctx.exit(1)


def describe_keys(configured: tuple[str, ...], uses: Uses) -> list[dict[str, Any]]:
    """Return a row for each key, configured or met, and for content that is not sealed at all.

    role: `seals` (the first), `opens` (configured and in use), `removable` (configured, and nothing needs it),
    `missing` (in use and not configured), `unsealed` (no sealed content: altered or foreign)
    """
    met = {key for counted in uses.values() for key in counted}
    rows: list[dict[str, Any]] = []
    for key in (*configured, *sorted(key for key in met if key is not None and key not in configured)):
        counts = {place: uses[place][key] for place in PLACES}
        role = "missing" if key not in configured else "opens" if any(counts.values()) else "removable"
        rows.append({"key": key, "role": "seals" if key == configured[0] else role} | counts)
    if None in met:
        rows.append({"key": None, "role": "unsealed"} | {place: uses[place][None] for place in PLACES})
    return rows


def show_keys(rows: list[dict[str, Any]]) -> None:
    """Print the keys for people."""
    print_table(list(rows[0]), (list(row.values()) for row in rows))
