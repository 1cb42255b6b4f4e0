"""Start everything that tests start, and then hang: what `test_killed_run` kills. Run by its name only."""

import os
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import CertificateFiles
from tests.e2e.running import Stack
from tests.faults.broker import Broker
from tests.gunicorn import run_door
from tests.integration.console_server import run_console
from tests.integration.door import equip
from tests.integration.test_enrich_plugins import run_worker


@pytest.mark.usefixtures("postgres_server")
def test_everything_runs(
    environment: dict[str, str], journal_url: str, certificates: CertificateFiles, tmp_path: Path, engines_folder: Path
) -> None:
    """Engines, door, console, a worker, a broker of the fault suite and a whole stack are up; then a file says so."""
    equipment = equip(tmp_path / "door", certificates, journal_url)
    stack = Stack(engines_folder / "var", engines_folder / "output")
    stack.process = stack.launch("--no-samples")
    with (
        run_door(equipment.environment, tmp_path / "door"),
        run_console(environment, "a token", tmp_path / "console"),
        run_worker(environment, tmp_path, tmp_path / "worker.log"),
    ):
        Broker(tmp_path / "broker.log").start()
        while not stack.is_up(stack.process.pid):
            time.sleep(0.05)
        Path(os.environ["EVERYTHING_IS_UP"]).write_text(str(engines_folder), encoding="utf-8")
        time.sleep(600)
        sys.exit("nobody killed this run")
