"""The door answers as docs/door.openapi.json says, whatever it is sent."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from deploy.embedded.engine import Server
from tests.conftest import CertificateFiles
from tests.gunicorn import ROOT, run_door
from tests.integration.described import SHORT, ask_everything
from tests.integration.door import equip

DESCRIPTION = ROOT / "docs" / "door.openapi.json"
# What a body says is judged by the workers; the door takes whatever has an alert id.
EXCLUDED = ("--exclude-checks", "positive_data_acceptance,negative_data_rejection")


def test_nothing_that_can_be_pushed_is_a_fault(
    tmp_path: Path, certificates: CertificateFiles, journal_server: Server
) -> None:
    """Right pushes and wrong ones, with and without the header: no 5xx, every answer of the described shape."""
    answered = push_everything(tmp_path, certificates, journal_server, *SHORT)
    assert answered.total() > 100
    assert {200, 400, 401} <= answered.keys()
    assert max(answered) < 500


def describe(source: str) -> dict[str, Any]:
    """Return the description with one way to authenticate: of two, a wrong one beside a right one is no fault."""
    description: dict[str, Any] = json.loads(DESCRIPTION.read_text())
    operation = description["paths"][f"/push/{source}"]["post"]
    operation["security"] = operation["security"][-1:]
    return description


def push_everything(folder: Path, certificates: CertificateFiles, journal: Server, *options: str) -> Counter[int]:
    """Push to each source as its description allows, and as it does not; return how often each status was answered."""
    equipment = equip(folder / "door", certificates, journal.url)
    with run_door(equipment.environment, folder / "log") as door:
        for path, sender in (("ethoca", equipment.ethoca(door)), ("reseller", equipment.reseller(door))):
            tls = ["--tls-verify", str(sender.ca)]
            if sender.pair:
                tls += ["--request-cert", str(sender.pair.certificate), "--request-cert-key", str(sender.pair.key)]
            headers = [word for name, value in sender.headers.items() for word in ("--header", f"{name}: {value}")]
            found = ask_everything(
                describe(path), f"https://127.0.0.1:{door.port}", folder,
                *(*EXCLUDED, *tls, *headers, "--include-path", f"/push/{path}", *options),
            )  # fmt: skip
            assert not found, found
        return Counter(line["status"] for line in door.lines() if "status" in line)
