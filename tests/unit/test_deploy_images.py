"""The images install what the repository locks, and nothing that their part does not need."""

import re
from pathlib import Path

import pytest

from deploy.images.lock import IMAGES, lock_file

ROOT = Path(__file__).resolve().parents[2]
LOCKS = [ROOT / "requirements.lock", *(ROOT / lock_file(image) for image in IMAGES)]


def read_pins(path: Path) -> dict[str, tuple[str, frozenset[str]]]:
    """Return package -> (version, hashes) of a lock file."""
    text = path.read_text(encoding="utf-8")
    entries = re.findall(r"^([a-z0-9._-]+)==([^ ;\\]+)((?:[^\n]*\\\n)*[^\n]*)$", text, re.MULTILINE)
    return {name: (version, frozenset(re.findall(r"--hash=(\S+)", rest))) for name, version, rest in entries}


@pytest.mark.parametrize("image", IMAGES)
def test_image_lock_is_a_part_of_the_whole_lock(image: str) -> None:
    """Every package of an image has the version and the hashes that requirements.lock has."""
    whole = read_pins(ROOT / "requirements.lock")
    pins = read_pins(ROOT / lock_file(image))
    assert len(pins) > 10
    assert {name: whole.get(name) for name in pins} == pins
    assert all(hashes for _, hashes in pins.values())


def test_door_image_carries_no_worker_library() -> None:
    """The ingress image installs no celery, kombu, psycopg, marshmallow or requests."""
    pins = read_pins(ROOT / lock_file("ingress"))
    assert {"flask", "gunicorn", "gevent"} <= pins.keys()
    assert not {name for name in pins if re.match("celery|kombu|psycopg|marshmallow|requests", name)}


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_lock_names_no_package_index(path: Path) -> None:
    """A lock file can be used with any index: it names none."""
    assert not re.findall(r"https?://|file://|--(?:extra-)?index-url|--find-links", path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("image", IMAGES)
def test_dockerfile_copies_only_what_stands_in_the_repository(image: str) -> None:
    """Every file that a Dockerfile copies exists, so a renamed module cannot break a build unseen."""
    text = (ROOT / f"deploy/images/{image}.Dockerfile").read_text(encoding="utf-8")
    copied = [
        source
        for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE)
        for source in [word for word in line.split() if not word.startswith("--")][:-1]
    ]
    assert len(copied) >= 4
    assert [source for source in copied if not (ROOT / source).exists()] == []


@pytest.mark.parametrize("image", IMAGES)
def test_image_does_not_run_as_root(image: str) -> None:
    """The last user of each Dockerfile is a number other than 0."""
    text = (ROOT / f"deploy/images/{image}.Dockerfile").read_text(encoding="utf-8")
    users = re.findall(r"^USER (\d+):(\d+)$", text, re.MULTILINE)
    assert users
    assert users[-1] != ("0", "0")
