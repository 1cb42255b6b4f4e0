"""What a Prometheus has to be told to watch the local stack: `prometheus --config.file=var/prometheus.yml`."""

import json
from pathlib import Path

import deploy
from deploy.embedded.files import write_file
from deploy.embedded.layout import Layout

RULES = Path(deploy.__file__).resolve().parent / "prometheus" / "rules" / "*.yml"


def write_scrape_settings(layout: Layout, ports: dict[str, int]) -> None:
    """Write them, as JSON, which is YAML. The jobs are those of deploy/prometheus/prometheus.yml."""

    def job(name: str, *listeners: str, **more: object) -> dict[str, object]:
        return {
            "job_name": f"alert-intake-{name}",
            "static_configs": [{"targets": [f"127.0.0.1:{ports[listener]}" for listener in listeners]}],
            **more,
        }

    token = {"credentials_file": str(layout.secrets / "console_token")}
    settings = {
        "global": {"scrape_interval": "15s", "evaluation_interval": "15s"},
        "rule_files": [str(RULES)],
        "scrape_configs": [
            job("door", "platform"),
            job("workers", "drain_metrics", "forward_metrics"),
            job("stores", "console", authorization=token),
        ],
    }
    write_file(layout.scrape_settings, json.dumps(settings, indent=2) + "\n", 0o600)
