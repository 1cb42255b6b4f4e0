"""What the documents name exists: paths, make targets, commands, settings."""

import json
import re
import tomllib
from pathlib import Path

import pytest

from console.command import COMMANDS
from schemas.alert.presented import present_alert
from schemas.alert.vocabulary import TRANSACTION_TYPES
from tests.unit.messages import alert_of, read_ethoca
from workers.lookups.lookup import ALERT, TRANSACTION, read_answer

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / name for name in ("README.md", "SECURITY.md", "CHANGELOG.md", ".github/CONTRIBUTING.md")]
DOCUMENTS += sorted([*ROOT.glob("docs/*.md"), ROOT / "tests/bench/README.md"])

# Made when it runs, so not in the repository.
MADE = ("var/", ".venv", "deploy/secrets")


def read_text(document: Path) -> str:
    """Return a document as text."""
    return document.read_text(encoding="utf-8")


def named_paths(text: str) -> set[str]:
    """Return what looks like a path of the repository: in links, in code, in the tree, in commands."""
    links = re.findall(r"\]\(([^)#:]+)\)", text)
    words = re.findall(r"(?<![\w/$:.@-])((?:\.?[\w-]+/)+[\w.-]*)(?![\w/])", re.sub(r"\w+://\S+", "", text))
    tops = {path.name for path in ROOT.iterdir()}
    return {
        path for path in {*links, *words} if path in links or (path.split("/")[0] in tops and not path.startswith(MADE))
    }


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_named_paths_exist(document: Path) -> None:
    """Every path of the repository that a document names is there."""
    missing = [
        path
        for path in named_paths(read_text(document))
        if not (ROOT / path).exists() and not (document.parent / path).exists()
    ]
    assert missing == []


def test_paths_are_found() -> None:
    """The test above really sees paths in links, in the tree and in commands."""
    found = named_paths(read_text(ROOT / "README.md"))
    assert {"deploy/redis/journal.conf", "LICENSE", "ingress/", "deploy/gunicorn.conf.py", ".ci/run"} <= found


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_named_make_targets_exist(document: Path) -> None:
    """Every `make` target that a document names is in the Makefile."""
    makefile = read_text(ROOT / "Makefile")
    (phony,) = re.findall(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)
    named = set(re.findall(r"(?:^|`)make ([a-z]+)", read_text(document), re.MULTILINE))
    assert named <= set(phony.split())


@pytest.mark.parametrize("document", ["README.md", "docs/enrichers.md"])
def test_shown_look_up_is_the_one_that_is_sent(document: str) -> None:
    """Who writes an order service by the example gets exactly these keys, and what it says is taken."""
    shown = [json.loads(block) for block in re.findall(r"```json\n(.+?)```", read_text(ROOT / document), re.DOTALL)]
    (question,) = (one["alert"] for one in shown if "alert" in one)
    presented = present_alert(alert_of(read_ethoca({})))
    sent = {name: presented[name] for name in (*ALERT, *TRANSACTION)}
    assert list(question) == list(sent)
    assert all(list(question[part]) == list(sent[part]) for part in ("card", "transaction", "merchant"))
    assert question["transaction"]["type"] in TRANSACTION_TYPES.values()
    (answer,) = (one for one in shown if "order" in one)
    assert read_answer(json.dumps(answer).encode()) == answer


def test_named_commands_exist() -> None:
    """Every `alert-intake` command that README names is one."""
    named = set(
        re.findall(
            r"alert-intake ([a-z]+)\b", re.sub(r"```mermaid.+?```", "", read_text(ROOT / "README.md"), flags=re.DOTALL)
        )
    )
    assert {"migrate", "doctor", "audit"} <= named
    assert named <= set(COMMANDS)


def test_named_variables_are_read_somewhere() -> None:
    """Every variable of README's table of settings is read by the program."""
    table = read_text(ROOT / "README.md").split("## Settings", 1)[1].split("\n\nThe file", 1)[0]
    named = set(re.findall(r"`([A-Z][A-Z_]+)`", table))
    assert len(named) > 6
    sources = "\n".join(
        read_text(path)
        for part in ("ingress", "workers", "console", "schemas", "deploy")
        for path in (ROOT / part).rglob("*.py")
    )
    assert {name for name in named if name not in sources} == set()


def test_quoted_settings_exist() -> None:
    """What README quotes as `table.key` is a setting of the example configuration."""
    example = tomllib.loads(read_text(ROOT / "deploy" / "alert-intake.example.toml"))
    quoted = re.findall(r"`([a-z]+)\.([a-z_]+)`", read_text(ROOT / "README.md"))
    tables = {(table, key) for table, key in quoted if table in example}
    assert ("forwarding", "concurrency") in tables
    assert {f"{table}.{key}" for table, key in tables if key not in example[table]} == set()
