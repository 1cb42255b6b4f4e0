"""The command `alert-intake` as operators run it: a process of its own, on real servers."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import redis
from uuid_utils.compat import uuid7

from console.connections import open_database
from console.unreachable import Unreachable
from deploy.embedded.settings import Secrets
from schemas.downstream.subscription import check_secret, unseal_credentials
from schemas.journal.append import append_entry, connect_journal
from schemas.journal.envelope import Envelope, seal_envelope
from tests.conftest import CertificateFiles
from tests.gunicorn import run_door
from tests.integration.conftest import Query
from tests.integration.downstream import announce, subscribe
from workers.database.connections import connect_database
from workers.intake.drain import drain
from workers.settings import Workshop

COMMANDS = [
    "up", "push", "status", "audit", "alerts", "rejections", "subscriptions", "deliveries", "tokens", "operations",
    "keys", "migrate", "doctor",
]  # fmt: skip
SUBCOMMANDS = {
    "alerts": ["list", "show"],
    "rejections": ["list", "show", "replay", "discard"],
    "subscriptions": ["add", "list", "show", "change", "pause", "resume", "rotate-secret", "remove"],
    "deliveries": ["list", "show", "retry"],
    "tokens": ["add", "list", "revoke"],
    "operations": ["list"],
    "keys": ["list", "rotate"],
}
STREAM = "alert-intake:journal"
CARD = "4111111111111111"


@dataclass(frozen=True, slots=True)
class Result:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:  # noqa: ANN401 - any JSON
        """What it printed with --json."""
        return json.loads(self.out)

    @property
    def line(self) -> str:
        """The one line it wrote on stderr when it failed."""
        assert self.status == 1, self
        assert self.out == "", self
        (line,) = self.err.splitlines()
        return line


Run = Callable[..., Result]


def run_command(*arguments: object, folder: Path, given: bytes | None = None, **environment: str) -> Result:
    """Run `alert-intake` in a folder; it must end soon and without a traceback."""
    command = [str(Path(sys.executable).with_name("alert-intake")), *map(str, arguments)]
    own = {"PATH": os.environ["PATH"], **environment}
    ended = subprocess.run(
        command, cwd=folder, env=own, input=given or b"", capture_output=True, timeout=60, check=False
    )
    result = Result(ended.returncode, ended.stdout.decode(), ended.stderr.decode())
    assert "Traceback" not in result.err, result.err
    return result


@pytest.fixture
def run(environment: dict[str, str], tmp_path: Path) -> Run:
    """Return a function that runs the command on empty servers; named settings replace those of the environment."""
    return lambda *arguments, given=None, **changed: run_command(
        *arguments, folder=tmp_path, given=given, **environment | changed
    )


def push(workshop: Workshop, *bodies: object, source: str = "reseller", drained: bool = True) -> list[tuple[str, str]]:
    """Append bodies as the door does, and drain them; return their request and entry ids."""
    made = []
    with connect_journal(workshop.journal_url, 5.0) as client:
        for body in bodies:
            envelope = Envelope(source, body if isinstance(body, bytes) else json.dumps(body).encode())
            entry_id = append_entry(client, workshop.configuration.journal, seal_envelope(envelope, workshop.keyring))
            made.append((envelope.request_id, entry_id))
        while drained and client.xlen(STREAM):
            drain(workshop, "drain@test/0", 0.3)
    return made


def alert(name: str, provider: str = "ETHOCA") -> dict[str, Any]:
    """Return a reseller's message."""
    payload = {
        "providerId": name,
        "provider": provider,
        "type": "ETHOCA_CONFIRMED_FRAUD",
        "amount": "9.90",
        "currency": "USD",
    }
    return {"event": "alert.created", "timestamp": "2026-11-20T12:00:00Z", "payload": payload}


def test_help_names_every_command_and_loads_none(tmp_path: Path) -> None:
    """Every command is in the help, which loads none of them nor what they need."""
    shown = run_command("--help", folder=tmp_path).out
    assert re.findall(r"^  ([a-z]+)  ", shown, re.MULTILINE) == COMMANDS
    program = (
        "import sys, console.command as c; c.main(['--help'], standalone_mode=False); sys.exit(' '.join(sys.modules))"
    )
    modules = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False).stderr.decode().split()
    assert "console.command" in modules
    assert not {"psycopg", "redis", "requests", "rich", "yoyo", "flask"} & set(modules)


@pytest.mark.parametrize(
    "names", [[name] for name in COMMANDS if name not in SUBCOMMANDS]
    + [[name, inner] for name, subcommands in SUBCOMMANDS.items() for inner in subcommands],
)  # fmt: skip
def test_every_command_has_help_and_json(names: list[str], tmp_path: Path) -> None:
    """Each command explains itself without any server or setting, and can print JSON."""
    result = run_command(*names, "--help", folder=tmp_path)
    assert result.status == 0
    assert "--json" in result.out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["status"], "ALERT_INTAKE_CONFIG"),
        (["audit"], "ALERT_INTAKE_CONFIG"),
        (["alerts", "list"], "DATABASE_URL"),
        (["deliveries", "list"], "DATABASE_URL"),
        (["migrate"], "DATABASE_URL"),
        (["push", "/dev/null"], "PUSH_URL"),
        (["alerts", "list", "--env", "elsewhere.env"], "elsewhere.env"),
    ],
)
def test_a_setting_that_is_missing_is_one_line(arguments: list[str], told: str, tmp_path: Path) -> None:
    """Without settings a command says which one it needs, on one line."""
    assert told in run_command(*arguments, folder=tmp_path).line


@pytest.mark.parametrize(
    ("arguments", "changed", "told"),
    [
        (["alerts", "list"], {"DATABASE_URL": "postgresql://u:secret@127.0.0.1:1/x"}, "DATABASE_URL"),
        (["migrate"], {"DATABASE_URL": "postgresql://u:secret@127.0.0.1:1/x"}, "DATABASE_URL"),
        (["migrate"], {"DATABASE_URL": "postgresql://u:secret@127.0.0.1:port/x"}, "DATABASE_URL"),
        (["alerts", "list"], {"DATABASE_URL": "secret"}, "DATABASE_URL"),
        (["audit"], {"JOURNAL_URL": "redis://:secret@127.0.0.1:1/0"}, "JOURNAL_URL"),
        (["status"], {"BROKER_URL": "redis://:secret@127.0.0.1:1/0"}, "BROKER_URL"),
        (["status"], {"JOURNAL_URL": "redis://:secret@127.0.0.1:port/0"}, "JOURNAL_URL"),
        (["status"], {"JOURNAL_URL": "secret"}, "JOURNAL_URL"),
        (["push", "/dev/null"], {"PUSH_URL": "https://127.0.0.1:1"}, "does not answer"),
    ],
)
def test_a_server_that_does_not_answer_is_one_line(
    run: Run, arguments: list[str], changed: dict[str, str], told: str
) -> None:
    """An unreachable server ends a command with one line that says what to look at, and quotes no password."""
    line = run(*arguments, **changed).line
    assert told in line
    assert "secret" not in line


def test_an_empty_database_is_migrated(run: Run, database_url: str) -> None:
    """Before `migrate` other commands say that it is missing; after it they work; again it has nothing to do."""
    server = database_url.rpartition("/")[0]
    name = f"empty_{uuid4().hex}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}".encode())
        try:
            empty = {"DATABASE_URL": f"{server}/{name}"}
            assert "alert-intake migrate" in run("alerts", "list", **empty).line
            assert "alert-intake migrate" in run("audit", **empty).line
            status = run("status", "--json", **empty)
            assert (status.status, status.json["well"]) == (1, False)
            assert run("migrate", "--json", **empty).json["applied"] == status.json["pending_migrations"]
            assert run("alerts", "list", **empty).status == 0
            assert run("migrate", "--json", **empty).json == {"applied": []}
            assert "up to date" in run("migrate", **empty).out
        finally:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def test_a_local_run_is_found_by_its_file(
    environment: dict[str, str], tmp_path: Path, configuration_file: Path
) -> None:
    """With nothing set, ./var/run.env and the configuration beside it are used; --env names another."""
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "config.toml").write_text(configuration_file.read_text())
    addresses = "".join(f"{name}={environment[name]}\n" for name in ("JOURNAL_URL", "BROKER_URL", "DATABASE_URL"))
    (tmp_path / "var" / "run.env").write_text(addresses)
    assert run_command("status", folder=tmp_path).status == 0
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert "ALERT_INTAKE_CONFIG" in run_command("status", folder=elsewhere).line
    assert run_command("status", "--env", tmp_path / "var" / "run.env", folder=elsewhere).status == 0


def test_status_counts_what_is_there(run: Run, workshop: Workshop) -> None:
    """Waiting entries, stored alerts, endings and rejections are counted."""
    push(workshop, alert("A1"), alert("A1"), b"not json")
    push(workshop, alert("A2"), drained=False)
    report = run("status", "--json").json
    assert report["well"] is True
    assert (report["journal"]["entries"], report["journal"]["pending"], report["alerts"]) == (1, 0, 1)
    assert report["journal"]["oldest_age"] < 60
    assert report["endings"] == {"stored": 1, "updated": 0, "duplicate": 1, "superseded": 0, "rejected": 1}
    assert (report["open_rejections"], report["outbox"]["due"]) == (1, 0)
    assert report["queues"] == {"drain": 0, "forward": 0, "enrich": 0}
    shown = run("status")
    assert shown.status == 0
    assert "journal: entries" in shown.out


def test_status_is_not_well_while_something_waits_for_nobody(run: Run, workshop: Workshop, query: Query) -> None:
    """Entries without a drain, deliveries without a forwarder, late ones, a paused subscription: a line each, status 1.

    With nothing to do nobody is missed, and rejections and what was given up are people's to deal with.
    """
    assert run("status").status == 0
    push(workshop, alert("A1"), drained=False)
    report = run("status", "--json")
    assert (report.status, report.json["well"]) == (1, False)
    assert [line.partition(":")[0] for line in report.json["unwell"]] == [
        "entries wait in the journal and no drain worker lives"
    ]
    assert "Not well: entries wait" in run("status").out
    push(workshop, b"not json")
    subscribe(workshop, "https://x.example/")
    announce(workshop, "alert.created")
    query("UPDATE outbox SET due_at = now() - interval '1 hour' RETURNING 1")
    unwell = run("status", "--json").json["unwell"]
    assert unwell == ["deliveries are due and no forward worker lives: start one"]
    with connect_database(workshop.database_url, "forward") as living:
        living.execute("SELECT 1")
        report = run("status", "--json").json
        assert report["unwell"][0].startswith("deliveries are 36")
        assert (report["outbox"]["due"], report["outbox"]["late"] >= 3600) == (1, True)
        query("UPDATE subscriptions SET state = 'paused' RETURNING 1")
        living.execute("SELECT 1")
        unwell = run("status", "--json").json["unwell"]
        assert unwell == ["subscriptions are paused or tripped, 1: `alert-intake subscriptions list`"]
    query("UPDATE subscriptions SET state = 'active' RETURNING 1")
    query("UPDATE outbox SET state = 'given_up', ended_at = now() RETURNING 1")
    report = run("status", "--json")
    assert (report.status, report.json["open_rejections"], report.json["outbox"]["given_up"]) == (0, 1, 1)


def test_status_is_not_well_when_the_books_are_not(run: Run, workshop: Workshop) -> None:
    """An acknowledged entry that somebody deleted is no detail of another command."""
    push(workshop, alert("A1"))
    assert run("status", "--json").json["books_balanced"] is True
    push(workshop, alert("A2"), drained=False)
    with connect_journal(workshop.journal_url, 5.0) as client:
        client.xtrim(STREAM, 0)
    report = run("status", "--json")
    assert (report.status, report.json["books_balanced"]) == (1, False)
    assert report.json["unwell"] == ["the books do not balance: `alert-intake audit` says by how much"]


def test_status_counts_enrich_workers_where_there_are_remote_enrichers(
    run: Run, configuration_file: Path, workshop: Workshop
) -> None:
    """With a look-up configured somebody must ask it: the pool is shown, and missed while deliveries are due."""
    assert "enrich workers alive" not in run("status").out
    with configuration_file.open("a") as file:
        file.write('\n[[enrichment.lookups]]\nname = "orders"\nurl = "https://orders.example/"\n')
    subscribe(workshop, "https://x.example/")
    announce(workshop, "alert.created")
    with connect_database(workshop.database_url, "forward") as living:
        living.execute("SELECT 1")
        report = run("status")
    assert report.status == 1
    assert re.search(r"enrich workers alive\W+0", report.out)
    assert "no enrich worker lives" in report.out


def test_statement_that_takes_too_long_is_called_that(workshop: Workshop) -> None:
    """A database that is slow is not said to be silent, nor its address wrong."""
    with pytest.raises(Unreachable, match="took too long over a statement") as caught, open_database() as database:
        database.execute("SET statement_timeout = 50; SELECT pg_sleep(30)")
    assert "DATABASE_URL" not in str(caught.value)


def test_status_shows_a_backfill_while_it_is_under_way(run: Run, query: Query) -> None:
    """How far links of alerts stored before have been found stands there until all are, and then nothing does."""
    assert run("status", "--json").json["backfills"] == []
    query("UPDATE backfills SET done = 250, until = 1000, finished_at = NULL RETURNING 1")
    assert run("status", "--json").json["backfills"] == [{"name": "links", "done": 250, "until": 1000}]
    assert re.search(r"back-fill of links: done\W+25\.0%, 250 of 1000", run("status").out)
    query("UPDATE backfills SET done = 1000, finished_at = now() RETURNING 1")
    assert run("status", "--json").json["backfills"] == []
    assert "back-fill" not in run("status").out


def test_audit_fails_when_an_acknowledged_request_has_no_ending(run: Run, workshop: Workshop, tmp_path: Path) -> None:
    """The books balance; an acknowledgement that led nowhere is named and makes the exit status 1."""
    made = push(workshop, alert("A1"), alert("A2"))
    lines = [{"event": "acknowledged", "request_id": request, "entry_id": entry} for request, entry in made]
    log = tmp_path / "door.log"
    log.write_text("".join(json.dumps(line) + "\n" for line in lines))
    balanced = run("audit", "--json", "--acks", log)
    assert balanced.status == 0
    assert balanced.json["acknowledged"] == {"read": 2, "settled": 2, "waiting": 0}
    lost = {"event": "acknowledged", "request_id": uuid4().hex, "entry_id": "1700000000000-0"}
    both = "".join(json.dumps(line) + "\n" for line in [*lines, lost]).encode()
    unbalanced = run("audit", "--json", "--acks", "-", given=both)
    assert (unbalanced.status, unbalanced.json["balanced"]) == (1, False)
    assert unbalanced.json["unaccounted"] == [{"request_id": lost["request_id"], "entry_id": lost["entry_id"]}]
    shown = run("audit", "--acks", "-", given=both)
    assert shown.status == 1
    assert lost["request_id"] in shown.out
    assert "The books balance." in run("audit").out


def test_audit_names_lost_bodies_of_pushes_that_were_refused(run: Run, workshop: Workshop) -> None:
    """A push that was answered 400 was promised to be kept, too: the audit looks for it like any other."""
    lost = {"event": "rejected", "request_id": uuid4().hex, "entry_id": "1700000000000-0"}
    unkept = {"event": "refused", "request_id": uuid4().hex}
    lines = "".join(json.dumps(line) + "\n" for line in (lost, unkept)).encode()
    result = run("audit", "--json", "--acks", "-", given=lines)
    assert result.status == 1
    assert result.json["unaccounted"] == [{"request_id": lost["request_id"], "entry_id": lost["entry_id"]}]


def test_audit_fails_when_entries_are_missing(run: Run, workshop: Workshop) -> None:
    """An entry deleted from the journal without a receipt makes the exit status 1."""
    push(workshop, alert("A1"))
    ((_request, entry),) = push(workshop, alert("A2"), drained=False)
    with connect_journal(workshop.journal_url, 5.0) as client:
        client.xdel(STREAM, entry)
    result = run("audit", "--json")
    assert (result.status, result.json["balanced"]) == (1, False)
    assert result.json["incarnations"][0]["missing"] == 1
    assert "do NOT balance" in run("audit").out


def test_alerts_are_listed_and_shown_by_either_id(run: Run, workshop: Workshop) -> None:
    """An alert is found by our id and by the network's; two networks with one id are told apart."""
    push(workshop, alert("A1"), alert("A2"), alert("A2", "VERIFI"))
    listed = run("alerts", "list", "--json").json["data"]
    assert [row["provider_alert_id"] for row in listed] == ["A2", "A2", "A1"]
    assert (
        len(run("alerts", "list", "--json", "--provider", "verifi", "--received-after", "2026-01-01").json["data"]) == 1
    )
    pages = run("alerts", "list", "--json", "--oldest-first", "--limit", 2).json
    rest = run("alerts", "list", "--json", "--oldest-first", "--cursor", pages["next_cursor"]).json
    assert pages["data"] + rest["data"] == listed[::-1]
    by_theirs = run("alerts", "show", "A1", "--json").json
    by_ours = run("alerts", "show", by_theirs["id"], "--json").json
    assert by_theirs == by_ours
    assert [receipt["ending"] for receipt in by_ours["receipts"]] == ["stored"]
    assert "verifi" in run("alerts", "show", "A2").line
    assert "there is no alert A9" in run("alerts", "show", "A9").line
    table = run("alerts", "show", "A1").out
    assert "9.90" in table
    assert "stored" in table
    assert "A1" in run("alerts", "list").out
    assert run("alerts", "list", "--received-after", "soon").status == 2
    assert "cursor" in run("alerts", "list", "--cursor", "x").line


def test_rejections_are_shown_with_card_numbers_masked(run: Run, workshop: Workshop, query: Query) -> None:
    """A rejected body is opened for the operator, without the card number that it may hold."""
    push(workshop, f'{{"CardNumber": "{CARD}", '.encode(), source="ethoca")
    (rejection,) = run("rejections", "list", "--json").json["data"]
    shown = run("rejections", "show", rejection["id"], "--json").json
    assert shown["body"] == '{"CardNumber": "411111******1111", '
    table = run("rejections", "show", rejection["id"]).out
    assert "411111******1111" in table
    assert CARD not in table
    query("UPDATE rejections SET sealed = 'broken' RETURNING 1")
    broken = run("rejections", "show", rejection["id"], "--json").json
    assert broken["body"] is None
    assert broken["sealed_because"]
    assert "there is no rejection" in run("rejections", "show", uuid4()).line
    assert run("rejections", "list", "--state", "all").status == 0


def test_a_subscription_is_added_shown_paused_resumed_and_removed(
    run: Run, workshop: Workshop, query: Query, tmp_path: Path
) -> None:
    """Its whole life; the secret is printed once, and no credential ever again."""
    (tmp_path / "key").write_text("X-API-Key: hidden-key\n")
    (tmp_path / "team").write_text("hidden-team\n")
    options = ["--event", "alert.*", "--basic", "user:hidden:password", "--header", f"@{tmp_path / 'key'}",
               "--header", f"X-Team: @{tmp_path / 'team'}"]  # fmt: skip
    added = run("subscriptions", "add", "shop", "https://shop.example/hook", *options, "--json")
    assert added.status == 0, added.err
    secret = added.json["secret"]
    check_secret(secret)
    (row,) = query("SELECT * FROM subscriptions")
    credentials = unseal_credentials(row["sealed"], str(row["id"]), workshop.keyring)
    assert (credentials.secret, credentials.basic) == (secret, ("user", "hidden:password"))
    assert (credentials.headers, row["events"]) == (
        {"X-API-Key": "hidden-key", "X-Team": "hidden-team"},
        ["alert.*"],
    )
    shown = run("subscriptions", "show", "shop", "--json")
    assert shown.json["credentials"] == {
        "basic_user": "user", "headers": ["X-API-Key", "X-Team"], "former_secrets": 0, "sealed_because": None,
    }  # fmt: skip
    everything = shown.out + run("subscriptions", "list").out + run("subscriptions", "show", row["id"]).out
    assert "hidden" not in everything
    assert secret not in everything
    assert run("subscriptions", "pause", "shop", "--json").json["state"] == "paused"
    assert query("SELECT state FROM subscriptions") == [{"state": "paused"}]
    assert run("subscriptions", "resume", row["id"]).status == 0
    assert query("SELECT state FROM subscriptions") == [{"state": "active"}]
    assert run("subscriptions", "remove", "shop").status == 1
    assert run("subscriptions", "remove", "shop", given=b"n\n").status == 1
    assert len(query("SELECT 1 FROM subscriptions")) == 1
    assert run("subscriptions", "remove", "shop", "--yes").status == 0
    assert query("SELECT 1 FROM subscriptions") == []
    assert "there is no subscription" in run("subscriptions", "show", "shop").line


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["ftp://shop.example"], "url"),
        (["https://shop.example", "--event", "alert.craeted"], "alert.craeted"),
        (["https://shop.example", "--basic", "hidden"], "--basic"),
        (["https://shop.example", "--header", "hidden"], "--header"),
        (["https://shop.example", "--header", "Host: hidden"], "Host"),
        (["https://shop.example", "--header", "@nowhere"], "nowhere"),
    ],
)
def test_a_subscription_that_cannot_work_is_refused(run: Run, query: Query, arguments: list[str], told: str) -> None:
    """A typing mistake is told when the subscription is added, without quoting a credential."""
    line = run("subscriptions", "add", "shop", *arguments).line
    assert told in line
    assert "hidden" not in line
    assert query("SELECT 1 FROM subscriptions") == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["alerts", "show"],
        ["rejections", "list", "--reason"],
        ["subscriptions", "pause"],
        ["subscriptions", "add", "new", "https://orders.example/", "--description"],
        ["deliveries", "list", "--subscription"],
        ["operations", "list", "--actor"],
        ["tokens", "revoke"],
        ["push"],
    ],
)
def test_argument_that_is_no_text_is_refused(run: Run, arguments: list[str]) -> None:
    """Bytes that are no UTF-8 are no name, id or reason of anything."""
    result = run(*arguments, os.fsdecode(b"\xff"))
    assert (result.status, result.out, "argument holds bytes that are no UTF-8" in result.err) == (2, "", True)


def test_address_that_is_no_text_is_refused(run: Run) -> None:
    """Where it comes from is said, and none of it."""
    address = os.fsdecode(b"postgresql://user:pass\xff@127.0.0.1:1/x")
    assert "in the environment" in run("alerts", "list", DATABASE_URL=address).line


def test_a_subscription_name_is_taken_once(run: Run, configuration_file: Path) -> None:
    """A second one of the same name is refused; so is plain http where the configuration does not allow it."""
    assert run("subscriptions", "add", "shop", "http://127.0.0.1:1/").status == 0
    assert "already" in run("subscriptions", "add", "shop", "https://shop.example").line
    configuration_file.write_text(configuration_file.read_text().replace("allow_http = true", "allow_http = false"))
    assert "allow_http" in run("subscriptions", "add", "other", "http://127.0.0.1:1/").line
    assert "allow_http" in run("subscriptions", "add", "other", "HTTP://127.0.0.1:1/").line


def test_a_subscription_is_changed_and_its_secret_replaced(run: Run, workshop: Workshop, query: Query) -> None:
    """Every term can be given, changed and taken back; the new secret is printed once and signs beside the old one."""
    terms = [
        "--merchant",
        "M1",
        "--min-amount",
        "10.00",
        "--leave-out",
        "amount",
        "--rate-limit",
        "5",
        "--timeout",
        "7",
    ]
    first = run("subscriptions", "add", "shop", "https://shop.example", "--header", "X-Key:hidden", *terms, "--json")
    assert first.status == 0, first.err
    changes = ["--currency", "EUR", "--rate-limit", "0", "--clear", "headers", "--personal-data", "--name", "orders"]
    assert run("subscriptions", "change", "shop", *changes).status == 0
    shown = run("subscriptions", "show", "orders", "--json").json
    assert shown["filters"] == {"merchants": ["M1"], "currencies": ["EUR"], "min_amount": "10.00"}
    assert (shown["rate_limit"], shown["timeout"], shown["personal_data"]) == (None, 7.0, True)
    assert (shown["leave_out"], shown["credentials"]["headers"]) == (["amount"], [])
    assert run("subscriptions", "change", "orders", "--clear", "filters", "--clear", "leave-out").status == 0
    assert "nothing to change" in run("subscriptions", "change", "orders").line
    rotated = run("subscriptions", "rotate-secret", "orders", "--overlap", "1h", "--json").json
    (row,) = query("SELECT id::text, sealed, filters, leave_out FROM subscriptions")
    assert (row["filters"], row["leave_out"]) == ({}, [])
    credentials = unseal_credentials(row["sealed"], row["id"], workshop.keyring)
    assert (credentials.secret, credentials.retiring[0].secret) == (rotated["secret"], first.json["secret"])
    assert "--overlap" in run("subscriptions", "rotate-secret", "orders", "--overlap", "soon").line
    assert "rotate secret" in run("subscriptions", "show", "orders").out


def test_deliveries_that_were_given_up_are_retried_together(run: Run, workshop: Workshop, query: Query) -> None:
    """All of a subscription since a moment become due; without the moment, or with an id as well, nothing does."""
    run("subscriptions", "add", "shop", "https://shop.example")
    push(workshop, alert("A1"), alert("A2"))
    query("UPDATE outbox SET state = 'given_up', attempts = 13, ended_at = now() RETURNING 1")
    assert "--since" in run("deliveries", "retry", "--subscription", "shop").line
    assert "either" in run("deliveries", "retry").line
    assert "no subscription" in run("deliveries", "retry", "--subscription", "other", "--since", "2020-01-01").line
    assert run("deliveries", "retry", "--subscription", "shop", "--since", "2099-01-01", "--json").json["retried"] == 0
    assert run("deliveries", "retry", "--subscription", "shop", "--since", "2020-01-01", "--json").json["retried"] == 2
    assert query("SELECT DISTINCT state, spared FROM outbox") == [{"state": "due", "spared": 13}]
    (listed, _) = run("deliveries", "list", "--subscription", "shop", "--since", "2020-01-01", "--json").json["data"]
    assert run("deliveries", "show", listed["id"], "--json").json["log"] == []


def test_a_delivery_that_was_given_up_is_retried(run: Run, workshop: Workshop, query: Query) -> None:
    """`retry` makes it due now; a delivered one and one that is being attempted are left alone."""
    run("subscriptions", "add", "shop", "https://shop.example")
    push(workshop, alert("A1"))
    query("UPDATE outbox SET state = 'given_up', attempts = 13, ended_at = now() RETURNING 1")
    (delivery,) = run("deliveries", "list", "--state", "given_up", "--json").json["data"]
    assert (delivery["subscription"], delivery["event"], delivery["attempts"]) == ("shop", "alert.created", 13)
    retried = run("deliveries", "retry", delivery["id"], "--json").json
    assert (retried["state"], retried["attempts"]) == ("due", 13)
    (row,) = query("SELECT state, due_at <= now() AS due, lease, ended_at FROM outbox")
    assert row == {"state": "due", "due": True, "lease": None, "ended_at": None}
    query("UPDATE outbox SET lease = %s, due_at = now() + interval '1 minute' RETURNING 1", uuid7())
    assert "right now" in run("deliveries", "retry", delivery["id"]).line
    query("UPDATE outbox SET state = 'delivered', lease = NULL RETURNING 1")
    assert "delivered already" in run("deliveries", "retry", delivery["id"]).line
    assert "there is no delivery" in run("deliveries", "retry", uuid4()).line
    assert "delivered" in run("deliveries", "list").out


def test_doctor_finds_a_sound_installation_well(run: Run, workshop: Workshop) -> None:
    """On servers as they should be every check is well."""
    result = run("doctor", "--json")
    assert [check for check in result.json["checks"] if not check["well"]] == []
    assert (result.status, result.json["well"]) == (0, True)
    names = {check["name"] for check in result.json["checks"]}
    assert {"secrets", "tls.certificate", "tls.crl", "journal WAITAOF", "postgres fsync", "migrations"} <= names
    assert "proxy in front" not in names
    assert "All is well." in run("doctor").out


def test_doctor_tells_of_the_proxy_that_has_to_be_reloaded(
    configuration_file: Path, run: Run, workshop: Workshop
) -> None:
    """Where a proxy ends TLS, the days that are left are those of the files, and it has to be told of new ones."""
    text = configuration_file.read_text()
    configuration_file.write_text(text.replace("[sealing]", "[door]\nproxy = true\n\n[sealing]"))
    found = {check["name"]: check["found"] for check in run("doctor", "--json").json["checks"]}
    assert "days left" in found["tls.certificate"]
    assert "nginx -s reload" in found["proxy in front"]


def test_doctor_names_everything_that_is_wrong_at_once(
    run: Run, workshop: Workshop, configuration_file: Path, broker_url: str
) -> None:
    """A journal without durability, one Redis for both, a missing secret, certificate and table: each is a line."""
    text = configuration_file.read_text()
    configuration_file.write_text(
        re.sub(r'^certificate = ".*"$', 'certificate = "nowhere.pem"', text, count=1, flags=re.MULTILINE)
        .replace("console_token", "nowhere_token")
    )  # fmt: skip
    with redis.Redis.from_url(broker_url, protocol=2) as broker:
        assert broker.config_get("appendonly") == {"appendonly": "no"}
    result = run("doctor", "--json", JOURNAL_URL=broker_url, DATABASE_URL="postgresql://127.0.0.1:1/x")
    assert result.status == 1
    wrong = {check["name"]: check["found"] for check in result.json["checks"] if not check["well"]}
    assert {
        "secrets", "tls.certificate", "journal appendonly", "journal WAITAOF", "DATABASE_URL",
        "journal and broker are different instances",
    } <= set(wrong)  # fmt: skip
    assert "nowhere_token" in wrong["secrets"]
    assert "nowhere.pem" in wrong["tls.certificate"]
    shown = run("doctor", ALERT_INTAKE_CONFIG="/nowhere.toml")
    assert (shown.status, "/nowhere.toml" in shown.out) == (1, True)


def test_push_is_a_sender(
    run: Run,
    environment: dict[str, str],
    certificates: CertificateFiles,
    intake_secrets: Secrets,
    workshop: Workshop,
    tmp_path: Path,
) -> None:
    """Both sources push through the real door over mutual TLS; what is not acknowledged makes the exit status 1."""
    with run_door(environment, tmp_path / "door") as door:
        settings = {
            "PUSH_URL": f"https://localhost:{door.port}",
            "CA_CERT": str(certificates.ca),
            "CLIENT_CERT": str(certificates.client.certificate),
            "CLIENT_KEY": str(certificates.client.key),
            "ETHOCA_BASIC": f"ethoca:{intake_secrets.ethoca_password}",
            "RESELLER_API_KEY": intake_secrets.reseller_api_key,
        }
        (tmp_path / "reseller.json").write_text(json.dumps(alert("A1")))
        ethoca = json.dumps({"alertId": "A2"}).encode()
        result = run("push", "--json", "reseller.json", "-", given=ethoca, **settings)
        assert result.status == 0, result
        assert [(push["source"], push["status"], push["acknowledged"]) for push in result.json] == [
            ("reseller", 200, True), ("ethoca", 200, True),
        ]  # fmt: skip
        assert result.json[1]["answer"] == {"alertId": "A2", "status": "success"}
        assert all(push["request_id"] for push in result.json)
        shown = run("push", "-", given=b"{}", **settings)
        assert (shown.status, "400" in shown.out) == (1, True)
        refused = run("push", "--json", "-", given=ethoca, **settings | {"ETHOCA_BASIC": "ethoca:wrong"})
        assert (refused.status, refused.json[0]["status"]) == (1, 401)
        foreign = {"CLIENT_CERT": str(certificates.foreign.certificate), "CLIENT_KEY": str(certificates.foreign.key)}
        assert "TLS" in run("push", "-", given=ethoca, **settings | foreign).line
        assert "TLS" in run("push", "-", given=ethoca, **settings | {"CA_CERT": str(certificates.foreign_ca)}).line
        assert "CA_CERT" in run("push", "-", given=ethoca, **settings | {"CA_CERT": "/nowhere.pem"}).line
        trial = run("push", "--json", "--times", 40, "--connections", 4, "-", given=b'{"alertId": "A3"}', **settings)
        assert (trial.status, trial.json["pushes"], trial.json["acknowledged"]) == (0, 40, 40)
        assert 0 < trial.json["p50"] <= trial.json["p99"]
        assert "400" in run("push", "--times", 40, "-", given=b'{"alertId": null}', **settings).line
    push(workshop)
    stored = run("alerts", "list", "--json").json["data"]
    assert len({one["provider_alert_id"] for one in stored}) == 2 + 40
