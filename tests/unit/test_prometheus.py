"""The alert rules: each is valid, fires when it should and only then, and says where it stands what to do."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.programs import require_program

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy" / "prometheus"
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")


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


def test_rules_are_valid() -> None:
    """Promtool reads every rule."""
    promtool("check", "rules", *(str(file) for file in (FOLDER / "rules").glob("*.yml")))


def test_scrape_settings_are_valid(tmp_path: Path) -> None:
    """Promtool reads what to scrape; on Kubernetes without the discovery, which Debian's promtool does not know."""
    promtool("check", "config", "--syntax-only", "prometheus.yml")
    text, found = re.subn(
        r"kubernetes_sd_configs: (&\w+)\n( +- )role: pod\n +namespaces: .*\n",
        r"static_configs: \1\n\2targets: [pod]\n",
        (FOLDER / "kubernetes.yml").read_text(encoding="utf-8"),
    )
    assert found == 1
    settings = tmp_path / "kubernetes.yml"
    settings.write_text(text.replace("kubernetes_sd_configs:", "static_configs:"), encoding="utf-8")
    promtool("check", "config", "--syntax-only", str(settings))


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


@pytest.mark.parametrize("name", ["Expires30Days", "SenderLockedOut", "ClientCertificateExpires"])
def test_runbook_tells_of_the_reload_of_nginx(name: str) -> None:
    """Wherever a file of trust is replaced, the way to nginx's own copy of it is named."""
    (section,) = [part for part in RUNBOOK.split("\n### ") if part.partition("\n")[0].endswith(name)]
    assert "reload" in section
    assert "(#behind-nginx)" in section
