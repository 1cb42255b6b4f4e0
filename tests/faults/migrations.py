"""`alert-intake migrate` while alerts flow, as an operator runs it: the next release has a migration more.

The next release is a copy of our packages with one file more. It changes what every batch writes: a new column in each
table, all rows of one rewritten, an index; and it takes its time, in which nobody else gets at the tables.
"""

import itertools
import json
import shutil
from pathlib import Path

from tests.e2e.running import ROOT
from tests.faults.commands import command, start_command
from tests.faults.hold import KEY, Hold
from tests.faults.site import Site
from tests.faults.trial import Fault

PACKAGES = ("ingress", "schemas", "workers", "console", "deploy")
TABLES = ("alerts", "outbox", "receipts", "endings", "totals")
SECONDS = 3.0
NUMBERS = itertools.count(9001)

MIGRATION = "\n".join(
    [
        *(f"ALTER TABLE {table} DROP COLUMN IF EXISTS fault_probe;" for table in TABLES),
        *(f"ALTER TABLE {table} ADD COLUMN fault_probe integer NOT NULL DEFAULT 1;" for table in TABLES),
        "UPDATE alerts SET fault_probe = 2;",
        "CREATE INDEX fault_probe ON alerts (fault_probe, id);",
        f"SELECT pg_advisory_xact_lock_shared({KEY});",
        f"SELECT pg_sleep({SECONDS});",
    ]
)


def copy_release(folder: Path) -> Path:
    """Copy our packages, once, and return where they are."""
    for package in PACKAGES:
        if not (folder / package).exists():
            shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def add_migration(site: Site) -> tuple[Path, str]:
    """Make the next release; return where it is and the name of its migration."""
    release = copy_release(site.stack.var.parent / "release")
    name = f"{next(NUMBERS)}.fault"
    (release / "deploy" / "postgres" / f"{name}.sql").write_text(MIGRATION, encoding="utf-8")
    return release, name


def migrate(site: Site) -> None:
    """Run the next release's `alert-intake migrate`."""
    release, name = add_migration(site)
    apply_migration(site, release, name)


def kill_migrate(site: Site) -> None:
    """Kill it in its midst: nothing of it is there. Then run it again."""
    release, name = add_migration(site)
    with site.database() as database:
        database.execute("SELECT pg_advisory_lock(%s)", [KEY])
        process = start_command(site, "migrate", release=release)
        Hold(site, database).wait_for_victims()
        process.kill()
        process.communicate()
    apply_migration(site, release, name)


def apply_migration(site: Site, release: Path, name: str) -> None:
    """Run the command, which applies what is missing and says so."""
    ended = command(site, "migrate", "--json", release=release)
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["applied"] == [name]


MIGRATIONS = [
    Fault("alert-intake migrate", migrate, steady=True),
    Fault("alert-intake migrate killed, and run again", kill_migrate, steady=True),
]
