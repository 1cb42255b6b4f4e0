"""What is said of metrics, in rules, dashboard and documentation, is what a running stack shows, and all of it."""

import contextlib
import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.bodies import dispute, fresh_id
from tests.e2e.running import ROOT, Stack, wait_until
from tests.e2e.sender import Sender

NAME = re.compile(r"\balert_intake_[a-z0-9_]+")
PARTS_OF_HISTOGRAMS = re.compile(r"_(bucket|sum|count)$")


def read_listeners(stack: Stack) -> Iterator[str]:
    """Scrape everything that var/prometheus.yml names, as Prometheus would."""
    for job in json.loads((stack.var / "prometheus.yml").read_text())["scrape_configs"]:
        headers = {}
        if "authorization" in job:
            token = Path(job["authorization"]["credentials_file"]).read_text().strip()
            headers["Authorization"] = f"Bearer {token}"
        for static in job["static_configs"]:
            for target in static["targets"]:
                answer = requests.get(f"http://{target}/metrics", headers=headers, timeout=10)
                assert answer.status_code == 200, (target, answer.text)
                yield answer.text


def exposed_names(stack: Stack) -> set[str]:
    """Return the names of all families that have a sample, as they are written in queries."""
    names = set()
    for text in read_listeners(stack):
        for family in text_string_to_metric_families(text):
            if family.samples and family.name.startswith("alert_intake_"):
                names.add(family.name + ("_total" if family.type == "counter" else ""))
    return names


@pytest.fixture(scope="module")
def exposed(stack: Stack) -> set[str]:
    """Return the names that a stack shows that has had something of everything."""
    address = urlsplit(stack.facts["PUSH_URL"])
    with socket.create_connection((address.hostname, address.port), timeout=10) as stranger:
        stranger.sendall(b"GET / HTTP/1.0\r\n\r\n")  # no TLS: a connection that never becomes one
        with contextlib.suppress(ConnectionError):
            stranger.recv(100)
    sender = Sender(stack.facts)
    assert sender.push(dispute(fresh_id())).acknowledged
    wrong = Sender(stack.facts | {"ETHOCA_BASIC": "ethoca:wrong"})
    assert wrong.push(dispute(fresh_id())).status == 401
    sender.close()
    wrong.close()
    names: set[str] = set()

    def delivered() -> bool:
        names.clear()
        names.update(exposed_names(stack))
        return {"alert_intake_delivery_lag_seconds", "alert_intake_books_balanced"} <= names

    assert wait_until(delivered, 30), names
    return names


@pytest.mark.parametrize("place", ["deploy/prometheus/rules/*.yml", "deploy/grafana/*.json"])
def test_rules_and_dashboard_ask_for_what_is_there(exposed: set[str], place: str) -> None:
    """Every metric that a rule or the dashboard names exists, each in a file that names any."""
    files = sorted(ROOT.glob(place))
    assert files
    for file in files:
        named = {name_family(name, exposed) for name in NAME.findall(file.read_text(encoding="utf-8"))}
        assert named
        assert named <= exposed, (file.name, named - exposed)


def test_documentation_names_what_is_there(exposed: set[str]) -> None:
    """docs/metrics.md describes every metric that is shown, and no other."""
    documented = set(NAME.findall((ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")))
    assert documented == exposed


def test_console_tells_a_token_only(stack: Stack) -> None:
    """Without its token the console says nothing of what the stores hold."""
    answer = requests.get(stack.facts["CONSOLE_URL"] + "/metrics", timeout=10)
    assert answer.status_code == 401
    assert "alert_intake" not in answer.text


def name_family(name: str, exposed: set[str]) -> str:
    """Return the family that a name in a query belongs to."""
    return name if name in exposed else PARTS_OF_HISTOGRAMS.sub("", name)
