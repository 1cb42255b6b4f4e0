"""`alert-intake` as an operator runs it on the stack, and the door's log."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.e2e.running import ROOT
from tests.faults.site import WAIT_SECONDS, Site
from tests.tether import tether


def audit(site: Site, *options: str) -> tuple[int, dict[str, Any]]:
    """Run `alert-intake audit` as an operator would; return its exit status and what it says."""
    answer = command(site, "audit", "--json", *options)
    assert answer.stdout, answer.stderr
    return answer.returncode, json.loads(answer.stdout)


def command(site: Site, *arguments: str, release: Path = ROOT) -> "subprocess.CompletedProcess[str]":
    """Run `alert-intake` on the stack, that of another release if wanted; return how it ended and what it said."""
    process = start_command(site, *arguments, release=release)
    said, complained = process.communicate(timeout=WAIT_SECONDS)
    return subprocess.CompletedProcess(process.args, process.returncode, said, complained)


def start_command(site: Site, *arguments: str, release: Path = ROOT) -> "subprocess.Popen[str]":
    """Start `alert-intake` on the stack, with nothing but its addresses in the environment."""
    environment = {"PATH": "/usr/bin:/bin", "ALERT_INTAKE_CONFIG": str(site.stack.var / "config.toml")}
    environment |= {name: site.run[name] for name in ("JOURNAL_URL", "BROKER_URL", "DATABASE_URL")}
    return subprocess.Popen(
        tether([sys.executable, "-m", "console.command", *arguments]),
        cwd=release,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def door_log(site: Site) -> Path:
    """Return the door's log."""
    return site.stack.var / "log" / "ingress.log"
