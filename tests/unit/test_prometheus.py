"""The alert rules: each is valid, fires when it should and only then, and says where it stands what to do."""

import re
import subprocess
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from console.command import main
from tests.programs import require_program

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy" / "prometheus"
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
COMMAND = re.compile(r"`(alert-intake [a-z][^`]*)`")


def read_rules() -> list[dict[str, Any]]:
    """Return all alert rules."""
    files = sorted((FOLDER / "rules").glob("*.yml"))
    documents = [yaml.safe_load(file.read_text(encoding="utf-8")) for file in files]
    return [rule for document in documents for group in document["groups"] for rule in group["rules"]]


RULES = read_rules()
NAMES = [rule["alert"] for rule in RULES]


def promtool(*arguments: str) -> str:
    """Run promtool in the folder of the rules; return what it says when it finds nothing wrong."""
    program = require_program("promtool", "prometheus")
    result = subprocess.run([program, *arguments], cwd=FOLDER, capture_output=True, text=True, check=False, timeout=60)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_rules_and_scrape_settings_are_valid() -> None:
    """Promtool reads every rule and the example of what to scrape."""
    promtool("check", "rules", *(str(file) for file in (FOLDER / "rules").glob("*.yml")))
    promtool("check", "config", "--syntax-only", "prometheus.yml")


def test_rules_fire_when_they_should() -> None:
    """Promtool runs the tests of the rules."""
    promtool("test", "rules", *(str(file) for file in (FOLDER / "tests").glob("*.yml")))


@pytest.mark.parametrize("name", NAMES)
def test_each_rule_is_seen_firing(name: str) -> None:
    """There is a test in which it fires, and one in its group in which nothing does."""
    tests = [file.read_text(encoding="utf-8") for file in (FOLDER / "tests").glob("*.yml")]
    (own,) = [text for text in tests if f'alertname="{name}"' in text]
    assert "exp_samples: []" in own


@pytest.mark.parametrize("rule", RULES, ids=NAMES)
def test_each_rule_has_its_section_in_the_runbook(rule: dict[str, Any]) -> None:
    """It names its section, which says what it means and what to do; and it has a severity and a summary."""
    name = rule["alert"]
    assert rule["annotations"]["runbook_url"] == f"docs/runbook.md#{name.lower()}"
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert rule["annotations"]["summary"]
    _before, _heading, rest = RUNBOOK.partition(f"\n### {name}\n")
    section = rest.partition("\n### ")[0]
    assert "**Means.**" in section
    assert "**Do.**" in section


def test_runbook_speaks_of_no_other_rule() -> None:
    """Every section of the runbook belongs to a rule, in the order of the files, and names are not used twice."""
    assert len(set(NAMES)) == len(NAMES)
    assert set(re.findall(r"^### (\S+)$", RUNBOOK, re.MULTILINE)) == set(NAMES)


@pytest.mark.parametrize("line", sorted(set(COMMAND.findall(RUNBOOK))))
def test_runbook_names_commands_that_exist(line: str) -> None:
    """Each command of ours in the runbook exists, with the options that it is given."""
    words = line.split()[1:]
    command: click.Command | None = main
    while isinstance(command, click.Group):
        command = command.get_command(click.Context(command), words.pop(0))
    assert command is not None
    options = {name for parameter in command.params for name in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= options
