"""What runs in continuous integration is pinned, and is given nothing that it could give away."""

import re
from pathlib import Path

WORKFLOWS = sorted((Path(__file__).resolve().parents[2] / ".github" / "workflows").glob("*.yml"))


def test_actions_are_pinned_by_digest() -> None:
    """A tag can be moved to other code; a commit cannot. The version stands beside it, for people."""
    used = [line for file in WORKFLOWS for line in re.findall(r"uses: (.*)", file.read_text(encoding="utf-8"))]
    assert len(used) >= 2
    assert [line for line in used if not re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}  # v[0-9.]+", line)] == []


def test_workflows_may_read_and_nothing_else() -> None:
    """No workflow is given a secret or a token that writes, nor runs foreign code with ours."""
    for file in WORKFLOWS:
        text = file.read_text(encoding="utf-8")
        assert re.search(r"^permissions:\n  contents: read\n\n", text, re.MULTILINE), file.name
        assert not re.search(r"\bsecrets\.|: write\b|pull_request_target", text), file.name
        assert "persist-credentials: false" in text
