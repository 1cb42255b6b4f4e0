"""The doctor asks the door, at its platform listener, whether it takes alerts and whose certificates it has seen."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from console.diagnosis.check import Check
from console.diagnosis.door import check_door, check_sightings
from deploy.embedded.engine import Server
from schemas.settings.configuration import load_configuration
from schemas.settings.secret import Secret
from schemas.settings.sources import Header, Source
from schemas.telemetry.sightings import Sighting
from tests.conftest import CertificateFiles
from tests.gunicorn import run_door, run_platform
from tests.integration.door import Equipment, equip
from tests.integration.downstream import run_receiver

ETHOCA = Source(name="ethoca", format="ethoca", subjects=("CN=sender",))


@pytest.fixture
def equipment(tmp_path: Path, certificates: CertificateFiles, journal_server: Server) -> Equipment:
    """Configure a door on an empty journal."""
    own = equip(tmp_path / "door", certificates, journal_server.url)
    own.empty_journal()
    return own


def test_certificate_is_told_once_its_sender_has_pushed(
    equipment: Equipment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the first push none was seen; after it the doctor says how long ago, and the days that are left."""
    environment = equipment.environment | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "counts")}
    for name, value in equipment.environment.items():
        monkeypatch.setenv(name, value)
    sources = load_configuration().sources
    with run_door(environment, tmp_path / "log", workers=2) as door, run_platform(environment, tmp_path / "log") as own:

        def look() -> dict[str, Check]:
            return {check.name: check for check in check_door(f"http://{own.bind}/", sources)}

        before = look()
        assert before["door"] == Check("door", True, "takes alerts")
        assert "none seen" in before["client certificate of ethoca"].found
        assert equipment.ethoca(door).push().status == 200
        after = look()["client certificate of ethoca"]
    assert after.well
    assert after.found.startswith("last seen ")
    assert after.found.endswith("days left")


def test_certificate_that_ends_soon_is_not_well() -> None:
    """With two weeks or less the line says what to do, and a source that demands none has no line."""
    now = datetime.now(UTC)
    seen = Sighting("ethoca", now - timedelta(hours=5), now + timedelta(days=10, hours=1))
    key = Header(name="X-API-Key", value=Secret(env="UNUSED"))
    trusting = Source(name="reseller", format="reseller", certificate="optional", credentials=(key,))
    (check,) = check_sightings([seen], (ETHOCA, trusting))
    assert not check.well
    assert check.found == "last seen 5 hours ago, 10 days left; ask the sender for its next one, and pin that as well"


def test_listener_that_is_not_there_is_named_with_what_to_do() -> None:
    """Without PLATFORM_URL nothing is asked; where nobody or somebody else answers, the line says what to mend."""
    (unasked,) = check_door(None, (ETHOCA,))
    assert unasked.well
    assert "PLATFORM_URL" in unasked.found
    with run_receiver() as stranger:
        for url in ("http://127.0.0.1:1", stranger.url, "nonsense"):
            (check,) = check_door(url, (ETHOCA,))
            assert not check.well, url
            assert "PLATFORM_URL" in check.found
