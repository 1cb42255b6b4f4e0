"""Plug-ins as their documentation has them: installed beside us, found by entry point, local and in a real worker."""

import json
import re
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from schemas.journal.append import append_entry, connect_journal
from schemas.journal.envelope import Envelope, seal_envelope
from schemas.settings.plugins import GROUP
from tests.gunicorn import ROOT, wait_for
from tests.integration.conftest import Query
from tests.tether import tether
from workers.enrichers.plugins import load_plugin
from workers.intake.drain import drain
from workers.settings import Workshop, load_workshop

DOCUMENT = (ROOT / "docs" / "enrichers.md").read_text(encoding="utf-8")
WORKER = ("celery", "-A", "workers.app", "worker", "-Q", "enrich", "-P", "threads", "-c", "2", "-n", "enrich@test",
          "--without-gossip", "--without-mingle")  # fmt: skip

FAILING = """
def fail(alert, rules):
    raise RuntimeError(alert)

def spoil(alert, rules):
    return {"a": {1, 2}}
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Install the package that the documentation shows, and one that always fails, into a folder on the path."""
    site = tmp_path / "site"
    files = dict(re.findall(r"^`loyalty/([\w.]+)`\n\n```\w+\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL))
    points = tomllib.loads(files["pyproject.toml"])["project"]["entry-points"][GROUP]
    install(site, "loyalty_enricher", points, {"loyalty.py": files["loyalty.py"]})
    broken = {"failing": "failing:fail", "spoiling": "failing:spoil", "missing": "failing:nothing"}
    install(site, "failing_enricher", broken, {"failing.py": FAILING})
    monkeypatch.syspath_prepend(str(site))
    load_plugin.cache_clear()
    yield site
    load_plugin.cache_clear()
    for name in ("loyalty", "failing"):
        sys.modules.pop(name, None)


def install(site: Path, name: str, points: dict[str, str], modules: dict[str, str]) -> None:
    """Write modules and metadata as an installer does."""
    folder = site / f"{name}-1.0.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(f"Metadata-Version: 2.4\nName: {name}\nVersion: 1.0\n")
    lines = [f"{point} = {target}" for point, target in points.items()]
    (folder / "entry_points.txt").write_text("\n".join([f"[{GROUP}]", *lines, ""]))
    for module, text in modules.items():
        (site / module).write_text(text)


def configure(file: Path, *tables: str) -> Workshop:
    """Add enrichers to the configuration and read it anew."""
    with file.open("a") as configuration:
        configuration.write("\n" + "\n".join(tables) + "\n")
    return load_workshop()


def plugin(name: str, remote: str = "false") -> str:
    """Return the table that names a plug-in."""
    return f'[[enrichment.plugins]]\nname = "{name}"\nremote = {remote}'


def push(workshop: Workshop, merchant: str) -> None:
    """Push an alert of a merchant as the door does, and drain it."""
    payload = {"provider": "ETHOCA", "providerId": f"A{merchant}", "merchantId": merchant, "cardBin": "555555"}
    body = {"event": "alert.created", "timestamp": "2026-11-20T12:00:00Z", "payload": payload}
    with connect_journal(workshop.journal_url, 5.0) as client:
        envelope = Envelope("reseller", json.dumps(body).encode())
        append_entry(client, workshop.configuration.journal, seal_envelope(envelope, workshop.keyring))
        while client.xlen(workshop.configuration.journal.stream):
            drain(workshop, "drain@test/0", 0.1)


@contextmanager
def run_worker(environment: dict[str, str], site: Path, log: Path) -> Iterator[None]:
    """Run an enrich worker until the block ends; it has no beat beside it and ticks by itself."""
    with log.open("wb") as output:
        worker = subprocess.Popen(
            tether([sys.executable, "-m", *WORKER]), cwd=ROOT, env=environment | {"PYTHONPATH": str(site)},
            stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
    try:
        yield
    finally:
        worker.send_signal(signal.SIGTERM)
        try:
            worker.wait(20)
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait()
            raise


def test_documented_plugin_adds_under_its_name(
    workshop: Workshop, configuration_file: Path, site: Path, query: Query
) -> None:
    """The example of the documentation runs as it stands: its object is there, and only where it has one to give."""
    shop = configure(configuration_file, plugin("loyalty"))
    push(shop, "456789")
    push(shop, "another")
    rows = query(
        "SELECT enrichment->'loyalty' AS loyalty, enrichment->'failed' AS failed FROM alerts ORDER BY position"
    )
    assert rows == [
        {"loyalty": {"tier": "gold", "network": "mastercard"}, "failed": None},
        {"loyalty": None, "failed": None},
    ]


def test_broken_plugins_stop_no_alert(workshop: Workshop, configuration_file: Path, site: Path, query: Query) -> None:
    """One that raises, one that gives what is no JSON, one without its function and one not installed: all marked."""
    names = ["failing", "spoiling", "missing", "absent"]
    shop = configure(configuration_file, *map(plugin, ["failing", "loyalty", "spoiling", "missing", "absent"]))
    push(shop, "456789")
    (row,) = query("SELECT enrichment FROM alerts")
    assert row["enrichment"]["failed"] == names
    assert row["enrichment"]["loyalty"]["tier"] == "gold"


def test_installed_plugin_that_is_not_named_does_not_run(workshop: Workshop, site: Path, query: Query) -> None:
    """To be installed is not enough."""
    push(workshop, "456789")
    (row,) = query("SELECT enrichment FROM alerts")
    assert {"loyalty", "failed"} & row["enrichment"].keys() == set()


def test_remote_plugin_runs_in_a_real_worker(
    workshop: Workshop, configuration_file: Path, environment: dict[str, str], site: Path, tmp_path: Path, query: Query
) -> None:
    """A Celery worker for the queue `enrich` finds the plug-in, asks it, and lets the alert go."""
    shop = configure(configuration_file, plugin("loyalty", "true"), plugin("failing", "true"),
                     "[enrichment.remote]\ngive_up_after = 4.0")  # fmt: skip
    log = tmp_path / "worker.log"
    with run_worker(environment, site, log):
        # It works: what was pushed long before it began would be too late to be asked about.
        wait_for(lambda: query("SELECT FROM pg_stat_activity WHERE datname = current_database()"
                               " AND application_name = 'alert-intake enrich'"), 40)  # fmt: skip
        push(shop, "456789")
        (row,) = query("SELECT enrichment FROM alerts")
        assert row["enrichment"]["pending"] == ["loyalty", "failing"]
        push(shop, "another")
        wait_for(lambda: len(query("SELECT FROM alerts WHERE NOT enrichment ? 'pending'")) == 2)
    rows = query(
        "SELECT enrichment->'loyalty' AS loyalty, enrichment->'failed' AS failed FROM alerts ORDER BY position"
    )
    assert [row["failed"] for row in rows] == [["failing"]] * 2
    assert rows[1]["loyalty"] is None
    events = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    assert {event["verdict"] for event in events if event["event"] == "alert_enriched"} <= {"again", "given_up"}
