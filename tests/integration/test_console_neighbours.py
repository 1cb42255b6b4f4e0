"""The console asks the door's platform listener and the broker how they stand."""

from pathlib import Path

import pytest

from console.pages.neighbours import Neighbours, ask_neighbours
from console.pages.senders import ask_sightings, show_sightings
from deploy.embedded.engine import Server
from tests.conftest import CertificateFiles
from tests.gunicorn import run_door, run_platform
from tests.integration.door import equip


def test_neighbours_are_asked(
    certificates: CertificateFiles,
    journal_server: Server,
    broker_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A door that serves is ready and tells whom it saw, one without a process refuses; who is gone is silent."""
    monkeypatch.delenv("PLATFORM_URL", raising=False)
    monkeypatch.delenv("BROKER_URL", raising=False)
    assert ask_neighbours() == Neighbours(None, None)
    assert ask_sightings() == []
    equipment = equip(tmp_path / "door", certificates, journal_server.url)
    environment = equipment.environment | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "counts")}
    monkeypatch.setenv("BROKER_URL", broker_url)
    with run_platform(environment, tmp_path / "log") as platform:
        monkeypatch.setenv("PLATFORM_URL", f"http://{platform.bind}/")
        with run_door(environment, tmp_path / "log") as door:
            assert ask_neighbours() == Neighbours("ready", broker=True)
            assert show_sightings(ask_sightings(), {"ethoca"}) == []
            assert equipment.ethoca(door).push().status == 200
            (certificate,) = show_sightings(ask_sightings(), {"ethoca"})
            assert certificate.name == "Client of ethoca"
            assert (certificate.days or 0) > 300
            assert show_sightings(ask_sightings(), {"reseller"}) == []
        assert ask_neighbours() == Neighbours("refuses", broker=True)
    monkeypatch.setenv("BROKER_URL", "redis://127.0.0.1:1/0")
    assert ask_neighbours() == Neighbours("silent", broker=False)
