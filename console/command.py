"""The command `alert-intake`: one module a command, loaded when it is called, so that ``--help`` is quick."""

import importlib
import sys
from typing import NoReturn

import click

from console.unreachable import Refused, Unreachable
from schemas.settings.secret import ConfigurationError

# Command -> what it does, in one line. Its module is console.commands.<name>, its object there bears its name.
COMMANDS = {
    "up": "Run the whole pipeline on this machine until Ctrl-C (what `make run` calls).",
    "push": "Be a sender: push files through the door over mutual TLS.",
    "status": "Show what waits, what is stored, what is due, and what is not well.",
    "audit": "Check the books: every acknowledged entry settled or waiting.",
    "alerts": "List and show stored alerts.",
    "rejections": "List, show, replay and discard what ended without becoming an alert.",
    "subscriptions": "Say which downstream services get which events.",
    "deliveries": "List deliveries and retry one.",
    "tokens": "Make, list and revoke the tokens that the console takes.",
    "operations": "Show who changed what by hand, when and why.",
    "keys": "List the sealing keys; seal what is kept anew with the first.",
    "migrate": "Create or update the tables in the database.",
    "doctor": "Check configuration, certificates, Redis, Postgres and clocks.",
}


class LazyGroup(click.Group):
    """A group that imports a command's module when that command is called, and ends on an error with one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the commands in the order of COMMANDS."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Import and return one command."""
        if cmd_name not in COMMANDS:
            return None
        try:
            module = importlib.import_module(f"console.commands.{cmd_name}")
        except ModuleNotFoundError as error:
            raise Refused(f"{cmd_name} needs {error.name}, which this installation lacks (see README)") from error
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """Write the list of commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments. Bytes that are no UTF-8 are refused here: no name, id or reason has any."""
        try:
            "".join(args).encode()
        except UnicodeEncodeError:
            ctx.fail("an argument holds bytes that are no UTF-8")
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; what an operator can mend is one line on stderr and exit status 1."""
        try:
            return super().invoke(ctx)
        except (ConfigurationError, Unreachable, Refused) as error:
            end(ctx, str(error))
        except UnicodeEncodeError as error:
            if error.encoding != "utf-8":
                raise
            end(ctx, "an address in the environment holds bytes that are no UTF-8")


def end(ctx: click.Context, why: str) -> NoReturn:
    """End with one line on stderr."""
    click.echo(f"alert-intake: {why}", err=True)
    ctx.exit(1)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="alert-intake", prog_name="alert-intake")
def main() -> None:
    """Receive dispute alerts, keep each one, and forward it.

    Addresses come from JOURNAL_URL, BROKER_URL, DATABASE_URL and ALERT_INTAKE_CONFIG, or from ./var/run.env while
    `make run` is up. Every command has --help and --json; its exit status is 0 only when all is well.
    """


if __name__ == "__main__":
    sys.exit(main())
