"""A console on a database of its own, for the tests of a whole module."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg.rows import dict_row

from console.access.caller import Role
from console.access.digest import PURPOSE
from console.access.tokens import add_token
from console.connections import Database
from deploy.embedded.settings import ensure_secrets, write_configuration
from schemas.keyring import load_keyring
from schemas.settings.configuration import load_configuration
from tests.integration.console_server import Client, run_console


@dataclass(frozen=True, slots=True)
class Site:
    """A console, its database, and the environment of commands beside it."""

    client: Client
    database: Database
    environment: dict[str, str]

    def add_token(self, name: str, role: Role) -> str:
        """Make a token that never ends."""
        configuration = load_configuration(self.environment["ALERT_INTAKE_CONFIG"])
        key = load_keyring(configuration.sealing).derive_key(PURPOSE)
        with self.database.transaction():
            return add_token(self.database, name, role, None, key, "test")[1]

    def as_bearer(self, token: str) -> Client:
        """Return somebody who asks with another token."""
        return Client(self.client.url, token, self.client.process)


@contextmanager
def run_site(folder: Path, request: pytest.FixtureRequest, origin: str | None = None) -> Iterator[Site]:
    """Run a console on an empty database until the block ends."""
    certificates = request.getfixturevalue("certificates")
    token = ensure_secrets(folder / "secrets").console_token
    file = folder / "alert-intake.toml"
    write_configuration(file, certificates.development, folder / "secrets", certificates.client_subject)
    if origin:
        file.write_text(file.read_text().replace("[console]\n", f'[console]\norigin = "{origin}"\n'))
    server, _, template = request.getfixturevalue("postgres_server").url.rpartition("/")
    name = f"site_{uuid4().hex}"
    environment = {
        "ALERT_INTAKE_CONFIG": str(file),
        "JOURNAL_URL": request.getfixturevalue("journal_server").url,
        "BROKER_URL": request.getfixturevalue("broker_server").url,
        "DATABASE_URL": f"{server}/{name}",
    }
    with psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY".encode())
        try:
            with (
                run_console(environment, token, folder) as client,
                psycopg.connect(environment["DATABASE_URL"], autocommit=True, row_factory=dict_row) as database,
            ):
                yield Site(client, database, environment)
        finally:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
