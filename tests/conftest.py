"""Real servers for the tests, started once a session in a temporary folder: two Valkeys and a PostgreSQL.

A test that asks for `database_url` gets a database of its own, cloned from a migrated template; the journal and the
broker are emptied before each test that asks for them.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:  # the end-to-end tests load this file too, and import nothing of ours
    from xdist.remote import Producer
    from xdist.scheduler import LoadScopeScheduling

    from deploy.embedded.certificate_files import DevelopmentCertificates, Pair
    from deploy.embedded.engine import Server
    from deploy.embedded.settings import Secrets

# How quick an example is depends on what else the machine does.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

# Where there is room enough in memory the servers keep their files there: these tests ask what our code does with a
# server, and not how long a disk takes that others use, too. The stack of tests/e2e and tests/faults is on the disk.
MEMORY = Path("/dev/shm")  # noqa: S108 - what is made in it has a name of its own, and is the owner's
MEMORY_NEEDED = 4 * 2**30

# Folders whose tests share one stack.
STACKS = {"tests/e2e", "tests/faults"}


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: "Producer") -> "LoadScopeScheduling | None":
    """Keep together what shares servers: the tests of a file, and those of the folders in which a stack runs.

    What `make faults` runs (maxschedchunk) is left to xdist: test by test, for each process has its own stack.
    """
    from xdist.scheduler import LoadScopeScheduling

    class SharedServers(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            folder = file.rpartition("/")[0]
            return folder if folder in STACKS else file

    return SharedServers(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.fixture(scope="session")
def engines_folder() -> Iterator[Path]:
    """Return a short temporary folder that the account of PostgreSQL may enter, unlike pytest's own."""
    roomy = os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= MEMORY_NEEDED
    folder = Path(tempfile.mkdtemp(prefix="alert-intake-", dir=MEMORY if roomy else None))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def journal_server(engines_folder: Path) -> Iterator["Server"]:
    """Run a Valkey as the journal is run: append-only file, fsync before the answer, no eviction."""
    from deploy.embedded.valkey import JOURNAL, start_valkey

    with start_valkey(engines_folder / "journal", engines_folder / "journal.log", JOURNAL) as server:
        yield server


@pytest.fixture(scope="session")
def broker_server(engines_folder: Path) -> Iterator["Server"]:
    """Run a Valkey as the broker is run: nothing in it matters."""
    from deploy.embedded.valkey import BROKER, start_valkey

    with start_valkey(engines_folder / "broker", engines_folder / "broker.log", BROKER) as server:
        yield server


@pytest.fixture(scope="session")
def postgres_server(engines_folder: Path) -> Iterator["Server"]:
    """Run a PostgreSQL whose database is migrated: the template of each test's own."""
    from deploy.embedded.postgres import start_postgres
    from deploy.migrations import apply_migrations

    with start_postgres(engines_folder / "postgres", engines_folder / "postgres.log") as server:
        apply_migrations(server.url)
        yield server


@pytest.fixture
def journal_url(journal_server: "Server") -> str:
    """Return the address of an empty journal."""
    return empty_valkey(journal_server.url)


@pytest.fixture
def broker_url(broker_server: "Server") -> str:
    """Return the address of an empty broker."""
    return empty_valkey(broker_server.url)


def empty_valkey(url: str) -> str:
    """Delete every key of the server and return its address."""
    import redis

    with redis.Redis.from_url(url, protocol=2) as client:
        client.flushall()
    return url


@pytest.fixture
def database_url(postgres_server: "Server") -> Iterator[str]:
    """Return the address of a migrated database of this test's own."""
    import psycopg

    server, _, template = postgres_server.url.rpartition("/")
    name = f"test_{uuid4().hex}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY".encode())
        yield f"{server}/{name}"
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """Certificates of every kind a sender could come with. `ca` is what the door trusts, `crl` revokes `revoked`.

    `client` is the one that the source `ethoca` is pinned to (`client_subject`); `unlisted` is of the same authority
    with another subject, `foreign` of an authority the door does not know, `server_only` not meant for clients.
    """

    ca: Path
    crl: Path
    server: "Pair"
    client: "Pair"
    client_subject: str
    unlisted: "Pair"
    foreign: "Pair"
    foreign_ca: Path
    expired: "Pair"
    server_only: "Pair"
    revoked: "Pair"
    development: "DevelopmentCertificates"


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> CertificateFiles:
    """Make an authority, a server, and senders of every kind."""
    from deploy.embedded.certificate_files import CLIENT_SUBJECT, ensure_certificates, read_pair, write_pair
    from deploy.embedded.certificates import issue_certificate, make_authority
    from deploy.embedded.revocations import make_crl

    folder = tmp_path_factory.mktemp("certificates")
    made = ensure_certificates(folder)
    authority = read_pair(folder, "ca")
    assert authority is not None
    stranger = make_authority("CN=somebody else's CA")
    unlisted = issue_certificate(authority, "CN=unlisted.example,O=somebody else", side="client")
    foreign = issue_certificate(stranger, CLIENT_SUBJECT, side="client")
    long_ago = datetime.now(UTC) - timedelta(days=30)
    expired = issue_certificate(authority, CLIENT_SUBJECT, side="client", not_before=long_ago, days=29)
    server_only = issue_certificate(authority, CLIENT_SUBJECT, side="server")
    revoked = issue_certificate(authority, CLIENT_SUBJECT, side="client")
    made.crl.write_bytes(make_crl(authority, [revoked.certificate]))
    return CertificateFiles(
        ca=made.authority.certificate,
        crl=made.crl,
        server=made.server,
        client=made.client,
        client_subject=CLIENT_SUBJECT,
        unlisted=write_pair(folder, "unlisted", unlisted),
        foreign=write_pair(folder, "foreign", foreign),
        foreign_ca=write_pair(folder, "foreign-ca", stranger).certificate,
        expired=write_pair(folder, "expired", expired),
        server_only=write_pair(folder, "server-only", server_only),
        revoked=write_pair(folder, "revoked", revoked),
        development=made,
    )


@pytest.fixture
def intake_secrets(tmp_path: Path) -> "Secrets":
    """Return the generated passwords, tokens and keys that `configuration_file` names by file."""
    from deploy.embedded.settings import ensure_secrets

    return ensure_secrets(tmp_path / "secrets")


@pytest.fixture
def configuration_file(tmp_path: Path, certificates: CertificateFiles, intake_secrets: "Secrets") -> Path:
    """Return a complete configuration: `ethoca` pinned to `certificates.client`, `reseller` without a certificate."""
    from deploy.embedded.settings import write_configuration

    file = tmp_path / "alert-intake.toml"
    write_configuration(file, certificates.development, tmp_path / "secrets", certificates.client_subject)
    return file


@pytest.fixture
def environment(configuration_file: Path, journal_url: str, broker_url: str, database_url: str) -> dict[str, str]:
    """Return the environment in which to start a program of ours."""
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return inherited | {
        "ALERT_INTAKE_CONFIG": str(configuration_file),
        "JOURNAL_URL": journal_url,
        "BROKER_URL": broker_url,
        "DATABASE_URL": database_url,
        "PYTHONUNBUFFERED": "1",
    }
