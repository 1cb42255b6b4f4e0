"""`alert-intake up`: the whole pipeline on this machine, from one command."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import click

from console.report import print_table
from console.unreachable import Refused
from deploy.embedded.children import NotStarted
from deploy.embedded.run import Listener, Options, run_stack
from deploy.embedded.samples import Journey

# Name of a port -> who listens there.
PORTS = {
    "push": "the door",
    "platform": "the door's plain listener (livez, readyz, metrics)",
    "console": "the console",
    "receiver": "the local receiver",
    "drain_metrics": "the drain workers' metrics",
    "forward_metrics": "the forward workers' metrics",
    "journal": "the embedded journal",
    "broker": "the embedded broker",
    "postgres": "the embedded PostgreSQL",
}


def port_options(command: click.Command) -> click.Command:
    """Give the command one option for each port."""
    for name, listener in PORTS.items():
        command.params.append(
            click.Option(
                [f"--{name.replace('_', '-')}-port", f"{name}_port"],
                type=click.IntRange(1, 65535),
                envvar=f"ALERT_INTAKE_{name.upper()}_PORT",
                show_envvar=True,
                help=f"Port of {listener}; by default a free one, the same again at the next start.",
            )
        )
    return command


@click.command()
@click.option(
    "--var",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default="var",
    show_default=True,
    help="Folder of everything that the run writes: data, certificates, secrets, logs.",
)
@click.option("--tethered", is_flag=True, help="End when the parent process ends.")
@click.option("--no-samples", is_flag=True, help="Push no sample alerts.")
@click.option("--ingress-workers", type=click.IntRange(1), default=2, show_default=True, help="Processes of the door.")
@click.option("--drain-processes", type=click.IntRange(1), default=2, show_default=True, help="Processes that drain.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document a line.")
def up(
    folder: Path,
    *,
    tethered: bool,
    no_samples: bool,
    ingress_workers: int,
    drain_processes: int,
    as_json: bool,
    **ports: int | None,
) -> None:
    """Run the whole pipeline on this machine until Ctrl-C.

    Starts Valkey and PostgreSQL (unless JOURNAL_URL, BROKER_URL or DATABASE_URL name others), the door, the workers,
    the console and a small receiver, pushes the sample alerts, and says in run.env how to reach everything.
    """
    options = Options(
        folder=folder,
        ports={name: ports[f"{name}_port"] for name in PORTS},
        samples=not no_samples,
        ingress_workers=ingress_workers,
        drain_processes=drain_processes,
        tethered=tethered,
    )
    try:
        run_stack(options, machine_listener() if as_json else human_listener(folder))
    except (NotStarted, OSError) as error:
        raise Refused(str(error)) from error


port_options(up)


def human_listener(folder: Path) -> Listener:
    """Tell people."""

    def ready(facts: dict[str, str]) -> None:
        click.echo(
            f"\n  push      {facts['PUSH_URL']}/push/ethoca  (mutual TLS)\n"
            f"  console   {facts['CONSOLE_URL']}\n"
            f"  receiver  {facts['RECEIVER_URL']}\n"
            f"  all of it {folder}/run.env\n\n"
            "Push an alert of your own from another terminal:\n\n"
            f"  set -a; . {folder}/run.env; set +a\n"
            '  curl --cacert "$CA_CERT" --cert "$CLIENT_CERT" --key "$CLIENT_KEY" --user "$ETHOCA_BASIC" \\\n'
            "    --header 'Content-Type: application/json' \\\n"
            """    --data '{"alertId": "MY-FIRST-ALERT", "alertType": "CONFIRMEDFRAUD"}' "$PUSH_URL/push/ethoca"\n\n"""
            "Ctrl-C stops everything; the data stay."
        )

    return Listener(say=click.echo, show_samples=show_samples, ready=ready)


def show_samples(journeys: Iterable[Journey]) -> None:
    """Print what became of the samples as one table."""
    columns = ("push", "answer", "acknowledged ms", "ending", "stored ms", "forwarded ms")
    print_table(columns, [tuple(asdict(journey).values()) for journey in journeys], title="The sample alerts")


def machine_listener() -> Listener:
    """Tell programs: one JSON document a line. Secrets are in run.env only."""

    def say(text: str) -> None:
        click.echo(json.dumps({"event": "progress", "text": text}))

    def show(journeys: Iterable[Journey]) -> None:
        for journey in journeys:
            click.echo(json.dumps({"event": "sample"} | asdict(journey)))

    def ready(facts: dict[str, str]) -> None:
        shown = ("PUSH_URL", "CONSOLE_URL", "RECEIVER_URL", "RUN_PID")
        click.echo(json.dumps({"event": "ready"} | {name.lower(): facts[name] for name in shown}))

    return Listener(say, show, ready)
