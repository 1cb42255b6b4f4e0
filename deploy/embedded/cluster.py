"""The data of the embedded PostgreSQL: where they lie, and how a new cluster is made, whole or not at all."""

import os
import shutil
from pathlib import Path

from deploy.embedded.children import Account, NotStarted, last_line, may_enter, start_child
from deploy.embedded.elsewhere import place_elsewhere
from deploy.embedded.engine import ENVIRONMENT
from deploy.embedded.files import sync_folder

ENGINE = "PostgreSQL"


def adopt_cluster(folder: Path) -> dict[str, str] | None:
    """Return the record of a cluster that was made whole just before its record could be written."""
    cluster = folder / "data"
    if not (cluster / "PG_VERSION").exists():
        return None
    return {"engine": ENGINE, "version": (cluster / "PG_VERSION").read_text().strip(), "data": "data"}


def name_cluster(folder: Path, cluster: Path) -> str:
    """Name the data for the record: seen from the folder, so that it may be moved, unless the data lie elsewhere."""
    return str(cluster.relative_to(folder) if cluster.is_relative_to(folder) else cluster)


def choose_cluster(folder: Path, account: Account | None) -> Path:
    """Return where the data of a new folder is to lie: in the folder itself, if the account can reach it."""
    if account is None or may_enter(folder, account):
        return folder / "data"
    return place_elsewhere(folder) / "data"


def initialise_cluster(programs: Path, cluster: Path, password: str, account: Account | None, log: Path) -> None:
    """Make a new cluster, whole or not at all: it is made beside its place and then moved there."""
    part = cluster.with_name(cluster.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(mode=0o700, parents=True)
    password_file = part.with_name("initdb-password")
    password_file.touch(0o600)
    password_file.write_text(password, encoding="utf-8")
    if account is not None:
        os.chown(part, account.uid, account.gid)
        os.chown(password_file, account.uid, account.gid)
    arguments = [
        "--username=postgres",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--locale=C",
        "--no-instructions",
    ]
    try:
        process = start_child(
            [str(programs / "initdb"), "-D", str(part), f"--pwfile={password_file}", *arguments],
            log=log,
            environment=ENVIRONMENT,
            account=account,
        )
        if process.wait() != 0:
            raise NotStarted(f"initdb failed: {last_line(log)} (log: {log})")
    finally:
        password_file.unlink()
    part.rename(cluster)
    sync_folder(cluster.parent)
