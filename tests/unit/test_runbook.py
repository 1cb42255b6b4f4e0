"""What the runbook tells people to type: every command can be parsed, and runs where it is said to."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest

from console.command import main

ROOT = Path(__file__).resolve().parents[2]
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
TYPED = [
    *re.findall(r"`([^`\n]+)`", RUNBOOK),
    *(line for block in re.findall(r"```sh\n(.*?)```", RUNBOOK, re.DOTALL) for line in block.splitlines()),
]
OURS = re.compile(r"(?<!--namespace )\balert-intake ([a-z][^<|#]*)")
COMMANDS = sorted({found.strip() for text in TYPED for found in OURS.findall(text)})
COMPOSE = sorted({found.strip() for text in TYPED for found in re.findall(r"docker compose ([a-z][^<|]*)", text)})
# What stands for something else -> one that is meant.
MEANT = {"ID": "01a20291-da82-71bf-897c-e79f51da54a7", "TIME": "2026-11-20", "REASON": "poisoned", "…": "X-API-Key:k"}


def parse_command(words: list[str]) -> None:
    """Read a command of ours with all its options and arguments. Raises click.UsageError where it would end so."""
    command: click.Command = main
    context = click.Context(main)
    while isinstance(command, click.Group):
        name, found, words = command.resolve_command(context, words)
        assert found is not None
        command, context = found, click.Context(found, parent=context, info_name=name)
    command.make_context(command.name, words, parent=context.parent).close()


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_can_be_typed_as_they_stand(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each command of ours exists, with the options, choices and arguments that it is given."""
    monkeypatch.chdir(tmp_path)
    words = [MEANT.get(word, word) for word in shlex.split(line)]
    for word in words:
        if word in ("FILE", "LOG") or word.startswith("deploy/"):
            file = tmp_path / word
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(b"{}")
    parse_command(words)


@pytest.mark.parametrize("line", ["status --no-such-option", "deliveries list --state odd", "subscriptions resume"])
def test_commands_that_cannot_be_typed_are_found(line: str) -> None:
    """An unknown option, a value that is none of the choices and a missing argument are told of."""
    with pytest.raises(click.UsageError):
        parse_command(line.split())


def test_compose_commands_name_services_that_can_do_it() -> None:
    """Each service exists; what is run in the console needs no more than the console is given."""
    program = Path(sys.executable).with_name("docker-compose")
    command = [str(program), "--file", "docker-compose.yml", "--profile", "*", "config", "--format", "json"]
    model: dict[str, Any] = json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout)
    named: set[str] = set()
    for line in COMPOSE:
        verb, *rest = (word for word in line.split() if not word.startswith("-"))
        services = rest[:1] if verb in ("exec", "run") else [word.partition("=")[0] for word in rest]
        named.update(services)
        if services == ["console"] and verb == "exec":
            assert not {"push", "doctor"} & set(rest), line
    assert named - {"PART"} <= model["services"].keys()
    assert {"console", "doctor", "migrate", "platform", "journal"} <= named


def test_more_room_for_the_journal_is_more() -> None:
    """What the runbook raises the journal's memory to is more than what it starts with, and the limits are named."""
    settings = (ROOT / "deploy" / "redis" / "journal.conf").read_text(encoding="utf-8")
    (before,) = re.findall(r"^maxmemory (\d+)gb$", settings, re.MULTILINE)
    raised = re.findall(r"CONFIG SET maxmemory (\d+)gb", RUNBOOK)
    assert raised
    assert all(int(after) > int(before) for after in raised)
    (section,) = [part for part in RUNBOOK.split("\n### ") if part.startswith("AlertIntakeJournalFilling\n")]
    assert "deploy/kubernetes/redis/journal.yaml" in section
