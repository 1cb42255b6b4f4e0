"""Backup and restore, as docs/backup.md says: both servers destroyed, both restored into new ones, the books held."""

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import redis
from psycopg.rows import dict_row

from console.books.acknowledged import Acknowledgement, audit_acknowledgements
from console.books.audit import audit_books
from console.connections import open_database
from deploy.embedded.binaries import find_postgres
from deploy.embedded.engine import Server
from deploy.embedded.postgres import start_postgres
from deploy.embedded.valkey import JOURNAL, start_valkey
from deploy.migrations import apply_migrations, pending_migrations
from schemas.journal.account import Account
from schemas.journal.append import append_entry, connect_journal
from schemas.journal.envelope import Envelope, seal_envelope
from tests.gunicorn import wait_for
from workers.intake.drain import drain
from workers.settings import Workshop

STREAM = "alert-intake:journal"


@dataclass(slots=True)
class Site:
    """A journal and a database of the test's own, and what was acknowledged there."""

    folder: Path
    workshop: Workshop
    monkeypatch: pytest.MonkeyPatch
    servers: list[Server] = field(default_factory=list)
    life: int = 0
    acknowledged: dict[str, Acknowledgement] = field(default_factory=dict)

    @property
    def place(self) -> Path:
        """The folder of the servers that run now."""
        return self.folder / str(self.life)

    @property
    def journal(self) -> redis.Redis:
        """A client of the journal."""
        return connect_journal(self.workshop.journal_url, 5.0)

    def start(self) -> None:
        """Start both servers on what lies in their folders."""
        journal = start_valkey(self.place / "journal", self.place / "journal.log", JOURNAL)
        self.servers.append(journal)
        database = start_postgres(self.place / "postgres", self.place / "postgres.log")
        self.servers.append(database)
        self.workshop = replace(self.workshop, journal_url=journal.url, database_url=database.url)
        self.monkeypatch.setenv("JOURNAL_URL", journal.url)
        self.monkeypatch.setenv("DATABASE_URL", database.url)

    def destroy(self) -> None:
        """End both servers without warning, and delete all that they kept."""
        for server in self.servers:
            server.process.kill()
            server.process.wait()
            server.stop()
        self.servers.clear()
        shutil.rmtree(self.place)
        self.life += 1

    def push(self, *names: str) -> None:
        """Append alerts as the door does."""
        with self.journal as client:
            for name in names:
                envelope = Envelope("ethoca", json.dumps({"alertId": name}).encode())
                settings = self.workshop.configuration.journal
                entry_id = append_entry(client, settings, seal_envelope(envelope, self.workshop.keyring))
                self.acknowledged[name] = Acknowledgement(envelope.request_id, entry_id)

    def drain(self) -> dict[str, int]:
        """Drain until the journal is empty; return the endings."""
        endings: dict[str, int] = {}
        with self.journal as client:
            for _attempt in range(50):
                for ending, count in drain(self.workshop, "drain@test/0", 0.3).endings.items():
                    endings[ending] = endings.get(ending, 0) + count
                if not client.xlen(STREAM):
                    return endings
        pytest.fail("the journal was not drained")

    def audit(self) -> Account:
        """Return the account of the only incarnation there is."""
        with self.journal as client, open_database() as database:
            (account,) = audit_books(client, database, STREAM)
        return account

    def name_lost(self) -> set[str]:
        """Return the alerts that the door acknowledged and that are nowhere, as `audit --acks` names them."""
        with self.journal as client, open_database() as database:
            found = audit_acknowledgements(client, database, STREAM, self.acknowledged.values())
        lost = {one.request_id for one in found.unaccounted}
        return {name for name, one in self.acknowledged.items() if one.request_id in lost}

    def query(self, statement: str) -> list[dict[str, Any]]:
        """Ask the database."""
        with psycopg.connect(self.workshop.database_url, autocommit=True, row_factory=dict_row) as database:
            return database.execute(statement.encode()).fetchall()

    def back_up_journal(self) -> Path:
        """Copy the append-only folder of the running server, with no rewrite under way."""
        copy = self.folder / f"journal-{uuid4().hex}"
        with self.journal as client:
            client.config_set("auto-aof-rewrite-percentage", 0)
            client.bgrewriteaof()
            wait_for(lambda: not client.info("persistence")["aof_rewrite_in_progress"])
            assert client.info("persistence")["aof_last_bgrewrite_status"] == "ok"
            shutil.copytree(self.place / "journal" / "appendonlydir", copy)
            client.config_set("auto-aof-rewrite-percentage", 100)
        return copy

    def back_up_database(self) -> Path:
        """Dump the database of the running server."""
        dump = self.folder / f"database-{uuid4().hex}"
        run_tool("pg_dump", "--format=custom", f"--file={dump}", self.workshop.database_url)
        return dump

    def restore(self, journal: Path, dump: Path) -> None:
        """Restore both into new servers: the folder before the start, the dump into the empty database."""
        shutil.copytree(journal, self.place / "journal" / "appendonlydir")
        self.place.chmod(0o755)
        self.start()
        run_tool("pg_restore", "--no-owner", "--exit-on-error", f"--dbname={self.workshop.database_url}", str(dump))
        assert pending_migrations(self.workshop.database_url) == []


def run_tool(name: str, *arguments: str) -> None:
    """Run one of PostgreSQL's own tools."""
    tool = find_postgres() / "pginstall" / "bin" / name
    ended = subprocess.run(
        [str(tool), *arguments], env={"PATH": os.defpath}, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 0, ended.stderr


@pytest.fixture
def site(engines_folder: Path, workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """Run a journal and a migrated database of the test's own."""
    folder = engines_folder / f"backup-{uuid4().hex[:8]}"
    folder.mkdir()
    folder.chmod(0o755)
    site = Site(folder, workshop, monkeypatch)
    try:
        site.start()
        apply_migrations(site.workshop.database_url)
        yield site
    finally:
        for server in site.servers:
            server.stop()


def names(start: int, end: int) -> list[str]:
    """Name some alerts."""
    return [f"A{number}" for number in range(start, end)]


def test_both_are_restored_and_the_books_balance(site: Site) -> None:
    """Alerts stored and alerts waiting, backed up, destroyed, restored: all are there once, and nothing is missing."""
    site.push(*names(0, 20), "A0")
    assert site.drain() == {"stored": 20, "duplicate": 1}
    site.push(*names(20, 30))
    copy = site.back_up_journal()
    dump = site.back_up_database()
    site.destroy()
    site.restore(copy, dump)
    account = site.audit()
    assert (account.added, account.settled, account.waiting, account.balanced) == (31, 21, 10, True)
    assert site.drain() == {"stored": 10}
    account = site.audit()
    assert (account.added, account.settled, account.waiting, account.balanced) == (31, 31, 0, True)
    assert site.name_lost() == set()
    assert site.query("SELECT count(*) AS n FROM alerts") == [{"n": 30}]
    site.push("A30", "A0")
    assert site.drain() == {"stored": 1, "duplicate": 1}
    assert site.audit().balanced


def test_backup_beside_the_running_pipeline_loses_only_what_came_after_it(site: Site) -> None:
    """Journal first, database after it, while alerts flow: what both hold ends once, what neither holds is named."""
    stop = threading.Event()

    def keep_going() -> None:
        number = 0
        while not stop.is_set():
            site.push(*names(number, number + 5))
            number += 5
            drain(site.workshop, "drain@test/0", 0.1)

    flow = threading.Thread(target=keep_going)
    flow.start()
    try:
        wait_for(lambda: len(site.acknowledged) > 50)
        copy = site.back_up_journal()
        before = len(site.acknowledged)
        wait_for(lambda: len(site.acknowledged) > before + 50)
        dump = site.back_up_database()
        dumped = len(site.acknowledged)
    finally:
        stop.set()
        flow.join()
    site.destroy()
    site.restore(copy, dump)
    site.drain()
    lost = site.name_lost()
    # Alerts are drained as they come, a page of five at a time: the dump holds all but those pushed just before it.
    assert {int(name[1:]) for name in lost} <= set(range(dumped - 50, len(site.acknowledged)))
    assert site.query("SELECT count(*) AS n FROM alerts") == [{"n": len(site.acknowledged) - len(lost)}]
    assert site.audit().orphaned == 0
    site.push(*lost)
    assert site.drain() == ({"stored": len(lost)} if lost else {})
    assert site.name_lost() == set()
    assert site.query("SELECT count(*) AS n FROM alerts") == [{"n": len(site.acknowledged)}]


def test_journal_older_than_the_database_stores_nothing_twice(site: Site) -> None:
    """Entries that the database has stored since come again from the restored journal, and their receipts stop them."""
    site.push(*names(0, 3))
    site.drain()
    site.push(*names(3, 10))
    copy = site.back_up_journal()
    site.push(*names(10, 15))
    assert site.drain() == {"stored": 12}
    dump = site.back_up_database()
    site.destroy()
    site.restore(copy, dump)
    assert site.drain() == {}
    account = site.audit()
    assert (account.added, account.settled, account.waiting, account.balanced) == (15, 15, 0, True)
    assert site.name_lost() == set()
    site.push("A15")
    assert site.drain() == {"stored": 1}
    assert site.audit().balanced


def test_database_older_than_the_journal_is_told_and_named(site: Site) -> None:
    """What was stored and settled between the two is in neither: the books count it, the door's log names it."""
    site.push(*names(0, 10))
    site.drain()
    dump = site.back_up_database()
    site.push(*names(10, 14))
    assert site.drain() == {"stored": 4}
    position = site.query("SELECT max(position) AS last FROM alerts")[0]["last"]
    site.push(*names(14, 16))
    copy = site.back_up_journal()
    site.destroy()
    site.restore(copy, dump)
    site.query(
        "SELECT setval('alerts_position_seq', nextval('alerts_position_seq') + 1000000),"
        " setval('events_position_seq', nextval('events_position_seq') + 1000000)"
    )
    assert site.drain() == {"stored": 2}
    account = site.audit()
    assert (account.added, account.settled, account.missing, account.balanced) == (16, 12, 4, False)
    assert site.name_lost() == {"A10", "A11", "A12", "A13"}
    site.push(*names(10, 14))
    assert site.drain() == {"stored": 4}
    assert site.name_lost() == set()
    assert (
        site.query("SELECT min(position) AS first FROM alerts WHERE provider_alert_id IN ('A10', 'A14')")[0]["first"]
        > position
    )


def test_snapshot_alone_starts_empty_until_an_append_only_file_is_made_of_it(site: Site) -> None:
    """With appendonly on Redis passes dump.rdb over; docs/backup.md says how to start from it all the same."""
    site.push(*names(0, 3))
    with site.journal as client:
        client.bgsave()
        wait_for(lambda: not client.info("persistence")["rdb_bgsave_in_progress"])
    wrong, right = site.folder / "wrong", site.folder / "right"
    for folder in (wrong, right):
        folder.mkdir()
        shutil.copy(site.place / "journal" / "dump.rdb", folder / "dump.rdb")
    assert count_entries(wrong) == 0
    with start_valkey(right, site.folder / "right.log", ("appendonly no",)) as server:
        client = connect_journal(server.url, 5.0)
        client.config_set("appendonly", "yes")
        wait_for(lambda: not client.info("persistence")["aof_rewrite_in_progress"])
        assert client.info("persistence")["aof_last_bgrewrite_status"] == "ok"
    assert count_entries(right) == 3


def count_entries(folder: Path) -> int:
    """Start a journal on a folder, as it is run, and count what is in it."""
    with start_valkey(folder, folder.with_suffix(".log"), JOURNAL) as server:
        return int(connect_journal(server.url, 5.0).xlen(STREAM))
