"""`alert-intake tokens`: who may ask the console, and for what."""

from datetime import UTC, datetime, timedelta

import click

from console.access.caller import ROLES, Role
from console.access.digest import PURPOSE
from console.access.tokens import add_token, list_tokens, revoke_token
from console.connections import open_database
from console.durations import parse_duration
from console.operations import name_operator
from console.report import print_json, print_table, reporting
from console.unreachable import Refused
from schemas.keyring import load_keyring
from schemas.settings.configuration import load_configuration


@click.group()
def tokens() -> None:
    """Make, list and revoke the tokens that the console takes, besides the one in the configuration."""


@tokens.command("add")
@reporting
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), default="read", show_default=True,
              help="read: look at everything. operate: replay, discard, retry, change subscriptions too.")  # fmt: skip
@click.option("--expires", metavar="TIME", default="365d", show_default=True,
              help="How long it is valid: 24h, 90d, or never.")  # fmt: skip
def add_command(as_json: bool, name: str, role: Role, expires: str) -> None:
    """Make a token for NAME and print it, this once. What comes with it is noted under NAME."""
    expires_at = read_expiry(expires)
    key = load_keyring(load_configuration().sealing).derive_key(PURPOSE)
    with open_database(writable=True) as database:
        token_id, token = add_token(database, name, role, expires_at, key, name_operator())
    if as_json:
        print_json({"id": token_id, "name": name, "role": role, "expires_at": expires_at, "token": token})
    else:
        until = f"until {expires_at:%Y-%m-%d %H:%M} UTC" if expires_at else "without an end"
        click.echo(f"added {name}: may {role}, {until}")
        click.echo(f"token (not shown again): {token}")


@tokens.command("list")
@reporting
@click.option("--revoked", is_flag=True, help="Those that were revoked, too.")
def list_command(as_json: bool, revoked: bool) -> None:
    """List the tokens by name: role, when made, last used (to the minute), until when valid."""
    with open_database() as database:
        rows = list_tokens(database, revoked=revoked)
    if as_json:
        print_json({"data": rows})
    else:
        columns = ("name", "role", "state", "made_at", "last_used_at", "expires_at", "id")
        print_table([column.replace("_", " ") for column in columns], ([row[name] for name in columns] for row in rows))


@tokens.command("revoke")
@reporting
@click.argument("name", metavar="NAME|ID")
def revoke_command(as_json: bool, name: str) -> None:
    """End a token at once, with every session and stream that it began."""
    with open_database(writable=True) as database:
        revoked = revoke_token(database, name, name_operator())
    if as_json:
        print_json(revoked)
    else:
        click.echo(f"revoked {revoked['name']}")


def read_expiry(text: str) -> datetime | None:
    """Return when a token ends. Raises Refused."""
    if text == "never":
        return None
    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise Refused(f"--expires: {error}; or never") from error
    if not seconds:
        raise Refused("--expires: more than 0 is needed")
    return datetime.now(UTC) + timedelta(seconds=seconds)
