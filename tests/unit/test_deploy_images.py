"""The images install what the repository locks, and nothing that their part does not need."""

import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import distributions
from pathlib import Path

import pytest

from console.command import COMMANDS
from deploy.images.lock import IMAGES, TRACED, lock_file

ROOT = Path(__file__).resolve().parents[2]
START = ROOT / "deploy" / "images" / "start"

# What the commands of each image load, with what gunicorn, Celery and kombu load by name only.
LOADED = {
    "ingress": (
        "ingress.app",
        "ingress.health",
        "ingress.listener.serve",
        "ingress.listener.worker",
        "ingress.listener.platform_worker",
    ),
    "workers": ("workers.tasks", "kombu.transport.redis", "celery.concurrency.prefork", "celery.concurrency.thread"),
    "console": (
        *("console.app", "deploy.migrations", "console.web.worker"),
        *(f"console.commands.{name}" for name in COMMANDS if name != "up"),
    ),
}

# Loads the modules named after a list of packages, as if only those packages were installed.
LOAD_WITH_ONLY = """
import importlib, re, sys
from importlib.metadata import packages_distributions
plain = lambda name: re.sub("[-_.]+", "-", name).lower()
allowed, owners = set(sys.argv[1].split()), packages_distributions()
class Refuse:
    def find_spec(self, name, path=None, target=None):
        packages = {plain(owner) for owner in owners.get(name.partition(".")[0], ())} - {"alert-intake"}
        if packages and not packages & allowed:
            raise ModuleNotFoundError(f"{name} is not in the image", name=name)
sys.meta_path.insert(0, Refuse())
for module in sys.argv[2:]:
    importlib.import_module(module)
"""
IMAGE_LOCKS = [*map(lock_file, IMAGES), *(lock_file(image, traced=True) for image in TRACED)]
LOCKS = [ROOT / "requirements.lock", *(ROOT / file for file in IMAGE_LOCKS)]


def read_pins(path: Path) -> dict[str, tuple[str, frozenset[str]]]:
    """Return package -> (version, hashes) of a lock file."""
    text = path.read_text(encoding="utf-8")
    entries = re.findall(r"^([a-z0-9._-]+)==([^ ;\\]+)((?:[^\n]*\\\n)*[^\n]*)$", text, re.MULTILINE)
    return {name: (version, frozenset(re.findall(r"--hash=(\S+)", rest))) for name, version, rest in entries}


@pytest.mark.parametrize("file", IMAGE_LOCKS, ids=lambda file: file.name)
def test_image_lock_is_a_part_of_the_whole_lock(file: Path) -> None:
    """Every package of an image has the version and the hashes that requirements.lock has."""
    whole = read_pins(ROOT / "requirements.lock")
    pins = read_pins(ROOT / file)
    assert len(pins) > 10
    assert {name: whole.get(name) for name in pins} == pins
    assert all(hashes for _, hashes in pins.values())


def test_door_image_carries_no_worker_library() -> None:
    """The ingress image installs no celery, kombu, psycopg, marshmallow or requests."""
    pins = read_pins(ROOT / lock_file("ingress"))
    assert {"flask", "gunicorn", "gevent"} <= pins.keys()
    assert not {name for name in pins if re.match("celery|kombu|psycopg|marshmallow|requests", name)}


@pytest.mark.parametrize("image", TRACED)
def test_image_that_traces_has_what_that_takes(image: str, tmp_path: Path) -> None:
    """With EXTRAS=tracing a Dockerfile installs from the lock that has the packages of spans besides its own."""
    plain, traced = (read_pins(ROOT / lock_file(image, traced=one)) for one in (False, True))
    assert plain.items() < traced.items()
    text = (ROOT / f"deploy/images/{image}.Dockerfile").read_text(encoding="utf-8")
    (named,) = re.findall(r'--requirement ("/build/[^"]+")', text)
    for extras, pins in (("", plain), ("tracing", traced)):
        chosen = subprocess.run(["sh", "-c", f"echo {named}"], env={"EXTRAS": extras}, capture_output=True, check=True)
        assert read_pins(ROOT / "deploy" / "images" / Path(chosen.stdout.decode().strip()).name) == pins
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", LOAD_WITH_ONLY, " ".join(traced), "schemas.telemetry.spans"]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-2000:]


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


def test_start_reads_addresses_from_files(tmp_path: Path) -> None:
    """The entry point of the images turns JOURNAL_URL_FILE into JOURNAL_URL and leaves what is set directly."""
    (tmp_path / "journal").write_text("redis://:a b'\"$(id)@journal:6379/0\n", encoding="ascii")
    environment = {
        "PATH": os.environ["PATH"],
        "JOURNAL_URL_FILE": str(tmp_path / "journal"),
        "DATABASE_URL": "postgresql://",
    }
    command = [
        str(START),
        sys.executable,
        "-c",
        "import os; print(os.environ['JOURNAL_URL'], os.environ['DATABASE_URL'])",
    ]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert result.stdout == "redis://:a b'\"$(id)@journal:6379/0 postgresql://\n"


def test_start_ends_when_a_file_is_missing(tmp_path: Path) -> None:
    """A missing file stops the start; nothing runs with half its addresses."""
    environment = {"PATH": os.environ["PATH"], "BROKER_URL_FILE": str(tmp_path / "missing")}
    result = subprocess.run(
        [str(START), "echo", "started"], env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode != 0
    assert "started" not in result.stdout
    assert "missing" in result.stderr


def test_image_knows_its_version(tmp_path: Path) -> None:
    """What the console image writes is found as the metadata of the installed package would be."""
    script = str(ROOT / "deploy" / "images" / "name_version.py")
    subprocess.run([sys.executable, script, str(ROOT / "pyproject.toml"), str(tmp_path / "app")], check=True)
    (found,) = distributions(name="alert-intake", path=[str(tmp_path / "app")])
    assert found.version == tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]


@pytest.mark.parametrize(("image", "modules"), LOADED.items(), ids=LOADED)
def test_image_has_every_package_that_its_programs_load(image: str, modules: tuple[str, ...]) -> None:
    """What each image starts can be loaded with the packages of its own lock file alone."""
    environment = {"PATH": os.environ["PATH"], "BROKER_URL": "redis://127.0.0.1:1/0", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", LOAD_WITH_ONLY, " ".join(read_pins(ROOT / lock_file(image))), *modules]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-2000:]
