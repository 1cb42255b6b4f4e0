"""What a health check leaves behind at the door: it is counted, and the dashboard leaves it out."""

import json
import re
import socket
from pathlib import Path

import requests
from prometheus_client.parser import text_string_to_metric_families

from tests.gunicorn import ROOT, run_door, run_platform, wait_for
from tests.integration.door import Equipment

DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "alert-intake.json").read_text(encoding="utf-8"))
COUNTED = "alert_intake_refused_connections"


def test_dashboard_leaves_out_who_only_looks_whether_the_port_is_open(equipment: Equipment, tmp_path: Path) -> None:
    """A probe of Kubernetes counts as a connection that went away, which no panel shows; one without TLS is shown."""
    environment = equipment.environment | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "counts")}
    with run_door(environment, tmp_path / "log") as door, run_platform(environment, tmp_path / "log") as platform:

        def refused() -> set[str]:
            text = requests.get(f"http://{platform.bind}/metrics", timeout=10).text
            families = [family for family in text_string_to_metric_families(text) if family.name == COUNTED]
            return {sample.labels["reason"] for family in families for sample in family.samples if sample.value}

        socket.create_connection(("127.0.0.1", door.port), timeout=10).close()
        (probed,) = wait_for(refused)
        with socket.create_connection(("127.0.0.1", door.port), timeout=10) as stranger:
            stranger.sendall(b"GET / HTTP/1.0\r\n\r\n")
            (shown,) = wait_for(lambda: refused() - {probed})
    queries = [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", ())]
    (asked,) = [query for query in queries if COUNTED in query]
    (left_out,) = re.findall(r'reason!="([^"]*)"', asked)
    assert probed == left_out != shown
