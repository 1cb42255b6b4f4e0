"""The published JavaScript verifier, which knows nothing of ours, on what really goes out."""

import json
import os
import subprocess
import time
from pathlib import Path

import pytest

from schemas.downstream.subscription import Credentials, generate_secret, rotate_secret
from tests.integration.downstream import SECRET, Receiver, announce, deliver, subscribe
from tests.programs import require_program
from workers.settings import Workshop

VERIFY = """
    const { Webhook } = require("standardwebhooks");
    const { secrets, body, headers } = JSON.parse(require("fs").readFileSync(0, "utf8"));
    const outcome = secrets.map((secret) => {
        try { new Webhook(secret).verify(body, headers); return true; } catch { return false; }
    });
    console.log(JSON.stringify(outcome));
"""
# The package and what it needs, each as it was published: npm compares what it fetches with the integrity.
PACKAGES = {
    "standardwebhooks": (
        "1.1.1", "sha512-bCbX9ZEyFkWPsRz7Bl3NuQUJohmwGSev/yhr7vhaGPlc4AfIrspIRa6cPTBuI1ItmrTDJ4d/S2hCsfe4+vQGnQ==",
    ),
    "@stablelib/base64": (
        "1.0.1", "sha512-1bnPQqSxSuc3Ii6MhBysoWCg58j97aUjuCSZrGSmDxNqtytIi0k8utUenAwTZN4V5mXXYGsVUI9zeBqy+jBOSQ==",
    ),
    "fast-sha256": (
        "1.3.0", "sha512-n11RGP/lrWEFI/bWdygLxhI+pVeo1ZYIVwvvPkW7azl/rOy+F3HYRZ2K5zeE9mmkhQppyv9sQFx0JM9UabnpPQ==",
    ),
}  # fmt: skip
UNREACHABLE = ("EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "UNREACH", "ENOTFOUND", "ETIMEDOUT", "TIMEOUT")


def install_packages(npm: str, folder: Path) -> None:
    """Install the packages. Skip the test when no registry can be reached, unless nothing may be skipped."""
    versions = {name: version for name, (version, _integrity) in PACKAGES.items()}
    locked = {
        f"node_modules/{name}": {"version": version, "integrity": integrity}
        for name, (version, integrity) in PACKAGES.items()
    }
    lock = {"lockfileVersion": 3, "packages": {"": {"dependencies": versions}, **locked}}
    (folder / "package.json").write_text(json.dumps({"dependencies": versions}))
    (folder / "package-lock.json").write_text(json.dumps(lock))
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1", "--fetch-timeout=20000"]
    installed = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    reached = not any(code in installed.stderr for code in UNREACHABLE)
    if installed.returncode and not reached and not os.environ.get("ALERT_INTAKE_NO_SKIP"):
        pytest.skip("npm reaches no registry")
    assert installed.returncode == 0, installed.stderr


def test_verifier_of_npm_accepts_both_signatures(quick: Workshop, receiver: Receiver, tmp_path: Path) -> None:
    """The published JavaScript verifier agrees with the published Python one."""
    npm, node = require_program("npm", "npm"), require_program("node", "nodejs")
    install_packages(npm, tmp_path)
    second = generate_secret()
    subscribe(quick, receiver.url, credentials=rotate_secret(Credentials(secret=SECRET), second, 3600, time.time()))
    announce(quick, "alert.created")
    assert deliver(quick, 1) == {"done": 1}
    headers, body = receiver.received[0]
    given = {"secrets": [SECRET, second, generate_secret()], "body": body.decode(), "headers": headers}
    verified = subprocess.run(
        [node, "-e", VERIFY],
        cwd=tmp_path,
        input=json.dumps(given).encode(),
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert json.loads(verified.stdout) == [True, True, False]
