"""The turns of one subscription by hand: pause, resume, a new secret, and its end."""

import click

from console.connections import open_database
from console.downstream.listing import read_subscription
from console.downstream.subscriptions import rotate_signing_secret
from console.downstream.turns import remove_subscription, set_state
from console.durations import parse_duration
from console.operations import name_operator
from console.report import print_json, reporting
from console.unreachable import Refused
from schemas.keyring import load_keyring
from schemas.settings.configuration import load_configuration


@click.command("pause")
@reporting
@click.argument("name", metavar="NAME|ID")
def pause_command(as_json: bool, name: str) -> None:
    """Pause deliveries to a subscription; they stay due until it is resumed."""
    change_state(name, "paused", as_json=as_json)


@click.command("resume")
@reporting
@click.argument("name", metavar="NAME|ID")
def resume_command(as_json: bool, name: str) -> None:
    """Resume deliveries to a subscription, paused or tripped, with whatever became due meanwhile, in its order."""
    change_state(name, "active", as_json=as_json)


@click.command("rotate-secret")
@reporting
@click.argument("name", metavar="NAME|ID")
@click.option("--overlap", default="24h", show_default=True, metavar="TIME",
              help="How long the present secret goes on signing beside the new one; 0 for not at all.")  # fmt: skip
def rotate_secret_command(as_json: bool, name: str, overlap: str) -> None:
    """Make a new signing secret and print it, this once. Until the overlap ends every delivery has both signatures."""
    try:
        seconds = parse_duration(overlap)
    except ValueError as error:
        raise Refused(f"--overlap: {error}") from error
    with open_database(writable=True) as database:
        rotated = rotate_signing_secret(
            database, load_keyring(load_configuration().sealing), name, seconds, name_operator()
        )
    if as_json:
        print_json(rotated)
    else:
        click.echo(f"new signing secret of {rotated['name']} (not shown again): {rotated['secret']}")
        click.echo(f"former secrets that still sign: {rotated['former_secrets']}")


@click.command("remove")
@reporting
@click.argument("name", metavar="NAME|ID")
@click.option("--yes", is_flag=True, help="Do not ask.")
def remove_command(as_json: bool, name: str, yes: bool) -> None:
    """Remove a subscription, and with it every delivery to it, also those that are still due."""
    keyring = load_keyring(load_configuration().sealing)
    with open_database(writable=True) as database:
        due = read_subscription(database, name, keyring)["due"]
        database.commit()
        if not yes:
            click.confirm(f"Remove {name}, with {due} deliveries still due to it?", abort=True, err=True)
        removed = remove_subscription(database, name, name_operator())
    if as_json:
        print_json(removed)
    else:
        click.echo(f"removed {removed['name']}")


def change_state(name: str, state: str, *, as_json: bool) -> None:
    """Set the state of a subscription and report it."""
    with open_database(writable=True) as database:
        changed = set_state(database, name, state, name_operator())
    if as_json:
        print_json(changed)
    else:
        click.echo(f"{changed['name']} is {changed['state']}")


TURNS = (pause_command, resume_command, rotate_secret_command, remove_command)
