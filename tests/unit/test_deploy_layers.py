"""No secret gets into a layer of an image: what a build may read, what it copies, and what it is told."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.images.lock import IMAGES, TRACED

ROOT = Path(__file__).resolve().parents[2]
# Where secrets lie, by design or because somebody put them there.
SECRETS = (
    "deploy/secrets/console_token", "deploy/secrets/development/client.key", "deploy/embedded/ca.key", "var/run.env",
    ".env", "console/.env", "console/.env.production", "schemas/secrets/sealing_keys", "ingress/server.pem",
    "ingress/server.key", "workers/client.p12", "deploy/postgres/dump.sql.gz", "console/.netrc", "deploy/images/id_rsa",
    "tests/fixture.key", "console/static/backup.pfx",
)  # fmt: skip
COPIED = re.compile(r"^(?:COPY|ADD) (?!--from)(.+)$", re.MULTILINE)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the repository in which secrets lie about."""
    folder = tmp_path_factory.mktemp("tree")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False).stdout.decode()
    names = [name for name in listed.split("\0") if name] or [
        str(file.relative_to(ROOT))
        for file in ROOT.rglob("*.*")
        if ".venv" not in file.parts and "var" not in file.parts
    ]
    for name in names:
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    for name in SECRETS:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("secret")
    return folder


def read_patterns(root: Path) -> list[tuple[re.Pattern[str], bool]]:
    """Return the patterns of .dockerignore, and whether each lets in. The last that matches counts, as for builders."""
    lines = [line.strip() for line in (root / ".dockerignore").read_text(encoding="utf-8").splitlines()]
    patterns = [line for line in lines if line and not line.startswith("#")]
    return [(compile_pattern(pattern.removeprefix("!").strip("/")), pattern.startswith("!")) for pattern in patterns]


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Return what matches a path or whatever lies below it. ``**`` is any number of folders, ``*`` no slash."""
    parts = re.split(r"(\*\*/|\*|\?)", pattern)
    written = {"**/": "(?:.*/)?", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(written.get(part, re.escape(part)) for part in parts) + "(?:/.*)?")


def read_context(root: Path) -> set[str]:
    """Return the files that a build is sent."""
    patterns = read_patterns(root)
    sent = set()
    for file in root.rglob("*"):
        name = str(file.relative_to(root))
        matching = [lets_in for pattern, lets_in in patterns if pattern.fullmatch(name)]
        if file.is_file() and (not matching or matching[-1]):
            sent.add(name)
    return sent


def copied_sources(image: str) -> Iterator[str]:
    """Yield what the Dockerfile of an image copies from the build's context."""
    text = (ROOT / f"deploy/images/{image}.Dockerfile").read_text(encoding="utf-8")
    for line in COPIED.findall(text):
        yield from [word for word in line.split() if not word.startswith("--")][:-1]


@pytest.mark.parametrize("image", IMAGES)
def test_build_is_sent_what_it_copies(tree: Path, image: str) -> None:
    """Each source of a COPY is let through by .dockerignore, so that the build does not end for want of it."""
    context = read_context(tree)
    sources = list(copied_sources(image))
    assert len(sources) >= 4
    assert [
        source for source in sources if not any(name == source or name.startswith(f"{source}/") for name in context)
    ] == []


@pytest.mark.parametrize("image", IMAGES)
def test_no_secret_is_copied_into_a_layer(tree: Path, image: str) -> None:
    """Secrets that lie about, even in folders that are copied whole, reach no layer, nor even the build."""
    context = read_context(tree)
    sources = list(copied_sources(image))
    layers = {name for name in context if any(name == source or name.startswith(f"{source}/") for source in sources)}
    assert len(layers) > 10
    assert layers.isdisjoint(SECRETS)
    assert context.isdisjoint(SECRETS)
    keys = [name for name in layers if b"PRIVATE KEY-----" in (tree / name).read_bytes()]
    assert keys == []


@pytest.mark.parametrize("image", IMAGES)
def test_no_secret_is_told_to_a_build(image: str) -> None:
    """A build is told an extra's name at most, sets no secret, fetches nothing by URL, and copies no whole tree."""
    text = (ROOT / f"deploy/images/{image}.Dockerfile").read_text(encoding="utf-8")
    assert re.findall(r"^ARG\b.*", text, re.MULTILINE) == (["ARG EXTRAS="] if image in TRACED else [])
    assert not re.findall(r"(?i)^\s*(?:ENV )?\w*(?:secret|token|password|key|_url)\w*=", text, re.MULTILINE)
    assert not re.findall(r"^ADD\b|https?://", text, re.MULTILINE)
    assert "." not in set(copied_sources(image))
