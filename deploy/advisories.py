"""Ask the advisory service whether a locked package is known to be vulnerable, if it can be reached from here.

Run by ``make check`` through ``deploy.check``. Who works without the network is told so in one line and kept from
nothing; the answer is asked for in a few seconds, so a line that swallows packets costs no more than those.
"""

import json
import subprocess
import sys
import threading
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SERVICE = "https://api.osv.dev/v1/query"
REACH_SECONDS = 4.0
AUDIT_SECONDS = 180.0
# Advisory -> why it does not concern us. Each is looked at again when the lock is made anew.
IGNORED: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class Audit:
    """What came of it. `found` names what is vulnerable, or what is wrong with the audit, a line each.

    `asked` is False when there was nobody to ask; `why` then says so.
    """

    asked: bool
    found: tuple[str, ...] = ()
    why: str = "the advisory service cannot be reached from here"


def audit_lock(lock: Path, service: str = SERVICE) -> Audit:
    """Audit every package of a lock file with hashes. Never raises for a service that does not answer."""
    if not answers(service):
        return Audit(asked=False)
    program = str(Path(sys.executable).parent / "pip-audit")
    command = [program, "--requirement", str(lock), "--require-hashes", "--disable-pip", "--format", "json"]
    command += ["--progress-spinner", "off", "--timeout", "10", "--vulnerability-service", "osv", "--osv-url", service]
    command += [word for advisory in IGNORED for word in ("--ignore-vuln", advisory)]
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=AUDIT_SECONDS)
    except subprocess.TimeoutExpired:
        return Audit(asked=False, why="the advisory service ceased to answer")
    try:
        return Audit(asked=True, found=tuple(name_findings(json.loads(result.stdout))))
    except json.JSONDecodeError:
        told = result.stderr.strip().rpartition("\n")[2]
        if told.rpartition(".")[2].partition(":")[0] in {"ServiceError", "ConnectionError"}:  # for one of the packages
            return Audit(asked=False, why=f"pip-audit gave up: {told}")
        return Audit(asked=True, found=(f"pip-audit broke with exit status {result.returncode}: {told}",))


def answers(service: str) -> bool:
    """Tell whether the service answers within REACH_SECONDS, the look-up of its name included, which has no timeout."""
    reached: list[bool] = []
    asking = threading.Thread(target=lambda: reached.append(ask_once(service)), daemon=True)
    asking.start()
    asking.join(REACH_SECONDS)
    return reached == [True]


def ask_once(service: str) -> bool:
    """Ask about a package that is not vulnerable, and tell whether the answer is one of such a service."""
    question = json.dumps({"package": {"name": "pip", "ecosystem": "PyPI"}, "version": "9999"}).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(service, question, headers)  # noqa: S310 - https, or a test's own server
    try:
        with urllib.request.urlopen(request, timeout=REACH_SECONDS) as response:  # noqa: S310 - as above
            return isinstance(json.loads(response.read(100_000)), dict)
    except (OSError, ValueError):
        return False


def name_findings(document: dict[str, Any]) -> list[str]:
    """Return a line for each vulnerability that pip-audit reports."""
    return [
        f"{package['name']} {package['version']}: {finding['id']}"
        f" (mended in {', '.join(finding['fix_versions']) or 'no version yet'})"
        for package in document["dependencies"]
        for finding in package.get("vulns", ())
    ]
