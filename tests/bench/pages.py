"""How fast the pages and the API's lists answer with a million alerts stored: over HTTP, and in a browser.

A figure is the time from the request to the last byte of the answer of a console of one process on an otherwise idle
stack; "in a browser" is until the page is loaded, its style and scripts from the browser's cache, as for an operator.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import psycopg
import requests
from rich.table import Table

from deploy.embedded.certificate_files import CLIENT_SUBJECT, ensure_certificates
from deploy.embedded.postgres import start_postgres
from deploy.embedded.settings import ensure_secrets, write_configuration
from deploy.embedded.valkey import JOURNAL, start_valkey
from deploy.migrations import apply_migrations
from tests.bench.prefill import prefill
from tests.bench.report import Report, read_table
from tests.e2e.browser import run_browser, sit_down
from tests.integration.console_server import Client, run_console

ALERTS = 1_000_000
TIMES = 15
PAGE_GOAL, LIST_GOAL = 1000, 200  # ms
LISTS = {
    "alerts, the latest first": "/alerts",
    "alerts, a rare filter": "/alerts?kind=other&status=refunded&provider=verifi",
    "alerts, a filter that nothing fits": "/alerts?status=resolved&kind=confirmed_fraud&provider=verifi&q=M499",
    "alerts, the soonest deadline first": "/alerts?sort=soonest&status=unanswered",
    "alerts of the largest merchant": "/alerts?q=M0",
    "alerts by the last four": "/alerts?q=1234",
    "one alert's story": "/alerts/{alert}",
    "rejections": "/rejections",
    "subscriptions": "/subscriptions",
    "one subscription": "/subscriptions/{subscription}",
    "API: alerts": "/v1/alerts?limit=100",
    "API: alerts, the latest first": "/v1/alerts?limit=100&order=newest",
    "API: alerts of an hour ten days ago": "/v1/alerts?limit=100&received_after={since}&received_before={until}",
    "API: alerts of a week, the latest first": (
        "/v1/alerts?limit=100&order=newest&received_after={before}&received_before={until}"
    ),
    "API: deliveries": "/v1/deliveries?limit=100",
    "API: deliveries given up": "/v1/deliveries?limit=100&state=given_up",
    "API: rejections": "/v1/rejections?limit=100",
    "API: subscriptions": "/v1/subscriptions",
}

Times = Mapping[str, list[float]]


def measure_window(tell: Callable[[str], object]) -> list[Report]:
    """Measure, and return the table."""
    tell(f"pages: storing {ALERTS:,} alerts, then asking {TIMES} times for each page and list")
    return [read_table(pages_table(measure_pages()))]


def measure_pages(alerts: int = ALERTS, times: int = TIMES) -> Times:
    """Fill a database, run a console on it, and return the milliseconds of every page and list.

    Without Debian's chromium the first page is not opened in a browser.
    """
    with tempfile.TemporaryDirectory(prefix="alert-intake-pages-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        with (
            start_postgres(folder / "postgres", folder / "postgres.log") as postgres,
            start_valkey(folder / "journal", folder / "journal.log", JOURNAL) as journal,
        ):
            apply_migrations(postgres.url)
            prefill(postgres.url, alerts)
            token = ensure_secrets(folder / "secrets").console_token
            certificates = ensure_certificates(folder / "certificates")
            configuration = folder / "alert-intake.toml"
            write_configuration(configuration, certificates, folder / "secrets", CLIENT_SUBJECT)
            environment = {"PATH": os.environ["PATH"], "ALERT_INTAKE_CONFIG": str(configuration),
                           "DATABASE_URL": postgres.url, "JOURNAL_URL": journal.url}  # fmt: skip
            with run_console(environment, token, folder) as client:
                lists = time_lists(client, postgres.url, times)
                return lists | (time_first_page(client, times) if shutil.which("chromium") else {})


def time_lists(client: Client, database_url: str, turns: int) -> dict[str, list[float]]:
    """Return the milliseconds of each list, asked for in turn so that all have the same conditions."""
    with psycopg.connect(database_url) as database:
        found = database.execute(
            "SELECT (SELECT id FROM alerts WHERE position = 500000 OR position = 1 ORDER BY position DESC LIMIT 1),"
            " (SELECT id FROM subscriptions WHERE name = 'service-1')"
        ).fetchone()
    assert found is not None
    until = datetime.now(UTC) - timedelta(days=10)
    times = {"since": until - timedelta(hours=1), "before": until - timedelta(days=7), "until": until}
    named = {"alert": str(found[0]), "subscription": str(found[1])}
    named |= {name: f"{moment:%Y-%m-%dT%H:%M:%SZ}" for name, moment in times.items()}
    measured: dict[str, list[float]] = {name: [] for name in LISTS}
    with requests.Session() as session:
        session.headers.update({"Authorization": f"Bearer {client.token}"})
        for turn in range(turns + 1):
            for name, path in LISTS.items():
                began = time.perf_counter()
                answer = session.get(client.url + path.format(**named), timeout=60)
                took = (time.perf_counter() - began) * 1000
                answer.raise_for_status()
                if turn:  # the first warms
                    measured[name].append(took)
    return measured


def time_first_page(client: Client, times: int) -> dict[str, list[float]]:
    """Return the milliseconds until the first page is loaded in a browser."""
    measured = []
    with run_browser() as browser, sit_down(browser, {"CONSOLE_URL": client.url}) as operator:
        operator.sign_in(client.token)
        for _ in range(times):
            began = time.perf_counter()
            operator.open("/")
            measured.append((time.perf_counter() - began) * 1000)
    return {"first page, in a browser": measured}


def pages_table(measured: Times, alerts: int = ALERTS) -> Table:
    """Return the times with their goals."""
    table = Table(title=f"pages and lists with {alerts:,} alerts stored, ms")
    for column in ("what", "median", "slowest", "goal"):
        table.add_column(column, justify="left" if column == "what" else "right")
    for name, taken in sorted(measured.items()):
        goal = PAGE_GOAL if "browser" in name else LIST_GOAL
        table.add_row(name, f"{median(taken):.0f}", f"{max(taken):.0f}", f"< {goal}")
    return table
