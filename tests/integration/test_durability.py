"""Durability is verified, and room is kept: readyz and doctor on real servers, in good settings and in bad ones."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from click.testing import CliRunner
from structlog.testing import capture_logs

from console.command import main
from deploy.embedded.engine import Server
from deploy.embedded.postgres import SETTINGS, start_postgres
from deploy.embedded.valkey import JOURNAL, start_valkey
from ingress.journal.readiness import describe_readiness
from schemas.journal.append import JournalUnavailable, append_entry, connect_journal
from schemas.journal.durability import examine_durability
from schemas.journal.room import JournalFull, check_room, list_limits, measure_journal
from schemas.settings.journal import Journal
from workers.database.connections import connect_database
from workers.intake.drain import warn_of_forgetful

STREAM = "alert-intake:journal"
FIELDS = {b"body": b"x" * 1000}
GOOD = {
    "appendonly": "yes",
    "appendfsync": "always",
    "no-appendfsync-on-rewrite": "no",
    "maxmemory-policy": "noeviction",
    "maxmemory": "256mb",
}
FREED_AT_ONCE = ("lazyfree-lazy-user-del", "lazyfree-lazy-user-flush")  # what is deleted, not in the background
Doctor = Callable[..., dict[str, dict[str, Any]]]


@pytest.fixture(scope="module")
def server(engines_folder: Path) -> Iterator[Server]:
    """Run a journal of this module's own, whose settings may be spoilt."""
    with start_valkey(engines_folder / "spoilt", engines_folder / "spoilt.log", JOURNAL) as server:
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[redis.Redis]:
    """Return a client of it, emptied and with good settings."""
    with connect_journal(server.url, 5.0) as client:
        for name in FREED_AT_ONCE:
            client.config_set(name, "no")
        client.flushall()
        yield client
        for name, value in GOOD.items():
            client.config_set(name, value)


@pytest.fixture
def doctor(environment: dict[str, str]) -> Doctor:
    """Return a function that runs `alert-intake doctor` and returns its checks by name."""

    def run(**changes: str) -> dict[str, dict[str, Any]]:
        result = CliRunner().invoke(main, ["doctor", "--json"], env=environment | changes)
        report = json.loads(result.stdout)
        assert result.exit_code == (0 if report["well"] else 1)
        return {check["name"]: check for check in report["checks"]}

    return run


@pytest.mark.parametrize(
    ("settings", "limit"),
    [
        (Journal(max_entries=3), {"setting": "max_entries", "unit": "entries", "used": 3, "refuses_at": 3}),
        (Journal(max_bytes=2_500_000), {"setting": "max_bytes", "unit": "bytes", "refuses_at": 2_500_000}),
    ],
)
def test_each_limit_refuses_is_shown_and_passes(client: redis.Redis, settings: Journal, limit: dict[str, Any]) -> None:
    """At a limit the door refuses, readyz says which one and how full, and both end when the journal is drained."""
    settings = Journal(max_entries=settings.max_entries, max_bytes=settings.max_bytes, timeout=5.0)
    assert describe_readiness(client, settings)["ready"]
    while not (reached := [one for one in list_limits(measure_journal(client, settings), settings) if one.reached]):
        append_entry(client, settings, FIELDS)
    assert [one.setting for one in reached] == [limit["setting"]]
    with pytest.raises(JournalFull, match=limit["setting"]):
        check_room(measure_journal(client, settings), settings)
    full = describe_readiness(client, settings)
    assert not full["ready"]
    assert limit["setting"] in full["why"][0]
    (shown,) = [one for one in full["limits"] if one["setting"] == limit["setting"]]
    assert shown | limit == shown
    assert shown["reached"]
    assert shown["share"] >= 1
    assert measure_journal(client, settings).used < 10_000_000  # of 256 MB: long before Redis itself refuses
    client.delete(STREAM)
    assert describe_readiness(client, settings)["ready"]


def test_share_of_memory_is_shown(client: redis.Redis) -> None:
    """The share of maxmemory is a limit that is always there, in bytes."""
    (limit,) = describe_readiness(client, Journal())["limits"]
    assert (limit["setting"], limit["refuses_at"], limit["reached"]) == ("max_memory_share", 187904819, False)
    assert limit["share"] == round(limit["used"] / limit["refuses_at"], 4)


@pytest.mark.parametrize(
    ("name", "value", "finding", "refuses"),
    [
        ("appendonly", "no", "appendonly", True),
        ("appendfsync", "no", "appendfsync", False),
        ("appendfsync", "everysec", "appendfsync", False),
        ("no-appendfsync-on-rewrite", "yes", "no-appendfsync-on-rewrite", False),
        ("maxmemory-policy", "allkeys-lru", "maxmemory-policy", True),
        ("maxmemory", "0", "maxmemory", False),
    ],
)
def test_each_bad_setting_is_found(
    client: redis.Redis, server: Server, doctor: Doctor, name: str, value: str, finding: str, refuses: bool
) -> None:
    """A spoilt setting is named by readyz, as an obstacle or a warning, and fails doctor; mended, both are content."""
    settings = Journal(timeout=5.0)
    client.config_set(name, value)
    found = describe_readiness(client, settings)
    named = found["why"] if refuses else found["warnings"]
    assert any(line.startswith(f"journal {finding}:") for line in named), found
    assert not doctor(JOURNAL_URL=server.url)[f"journal {finding}"]["well"]
    client.config_set(name, GOOD[name])
    assert describe_readiness(client, settings)["ready"]
    assert doctor(JOURNAL_URL=server.url)[f"journal {finding}"]["well"]


def test_redis_that_never_fsyncs_proves_nothing(client: redis.Redis) -> None:
    """With appendfsync no a push is refused, and readyz, which asks with a write of its own, says so before."""
    settings = Journal(timeout=0.3)
    client.config_set("appendfsync", "no")
    with pytest.raises(JournalUnavailable, match="fsync"):
        append_entry(client, settings, FIELDS)
    assert any("WAITAOF" in line for line in describe_readiness(client, settings)["why"])


def test_forbidden_config_leaves_the_proof(server: Server, client: redis.Redis, doctor: Doctor) -> None:
    """Where CONFIG is forbidden the settings cannot be asked for, and the fsync of a write of its own is enough."""
    client.acl_setuser("hosted", enabled=True, passwords=["+hidden"], keys=["*"], commands=["+@all", "-config"])
    address = server.url.replace("redis://:", "redis://hosted:").replace(
        server.url.split(":")[2].split("@")[0], "hidden"
    )
    checks = doctor(JOURNAL_URL=address)
    assert "forbidden" in checks["journal appendfsync"]["found"]
    assert all(check["well"] for name, check in checks.items() if name.startswith("journal"))
    with connect_journal(address, 5.0) as hosted:
        assert describe_readiness(hosted, Journal())["ready"]


def test_replica_that_is_not_there_is_a_refusal(client: redis.Redis) -> None:
    """With journal.replicas set and no replica connected nothing is acknowledged, and readyz names it."""
    settings = Journal(replicas=1, timeout=0.3)
    with pytest.raises(JournalUnavailable, match="0 of 1 replicas"):
        append_entry(client, settings, FIELDS)
    why = describe_readiness(client, settings)["why"]
    assert any("replicas" in line for line in why)
    wrong = {finding.name for finding in examine_durability(client, settings) if not finding.well}
    assert wrong == {"WAITAOF", "replicas"}


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_one_instance_for_both_is_found_under_any_name(
    server: Server, client: redis.Redis, doctor: Doctor, host: str
) -> None:
    """Another name and another database of the same Redis do not make it two."""
    other = server.url.replace("127.0.0.1", host).replace("/0", "/5")
    together = doctor(JOURNAL_URL=server.url, BROKER_URL=other)
    assert not together["journal and broker are different instances"]["well"]
    apart = doctor(JOURNAL_URL=server.url)
    assert apart["journal and broker are different instances"]["well"]


def test_postgres_that_may_forget_is_found(
    engines_folder: Path, doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Doctor names each setting by which PostgreSQL could lose what it has committed; a drain that meets it says so."""
    names = {"postgres fsync", "postgres full_page_writes", "postgres synchronous_commit"}
    checks = doctor()
    assert all(checks[name]["well"] for name in names)
    for name in names:
        monkeypatch.setitem(SETTINGS, name.removeprefix("postgres "), "off")
    with start_postgres(engines_folder / "forgetful", engines_folder / "forgetful.log") as postgres:
        checks = doctor(DATABASE_URL=postgres.url)
        with connect_database(postgres.url, "drain") as database, capture_logs() as logs:
            warn_of_forgetful(database)
            warn_of_forgetful(database)
    told = [(line["event"], line["fsync"], line["full_page_writes"]) for line in logs]
    assert told == [("database_may_forget", "off", "off")]
    assert names <= {name for name, check in checks.items() if not check["well"]}


def test_status_fails_at_any_limit(environment: dict[str, str], configuration_file: Path, journal_url: str) -> None:
    """Operators see which limit is reached, whichever it is."""
    with configuration_file.open("a") as file:
        file.write("\n[journal]\nmax_entries = 1\n")
    with connect_journal(journal_url, 5.0) as journal:
        assert CliRunner().invoke(main, ["status"], env=environment).exit_code == 0
        append_entry(journal, Journal(timeout=5.0), FIELDS)
        result = CliRunner().invoke(main, ["status", "--json"], env=environment)
    assert (result.exit_code, json.loads(result.stdout)["journal"]["full"]) == (1, ["max_entries"])
