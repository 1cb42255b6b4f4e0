"""Write the lock files of each image: its extra only, in the very versions that requirements.lock names.

The ingress image must carry no worker library, so it cannot install from the lock of the whole. What sends traces
brings some of them, so the images that can trace have a second lock file, for who wants that. Run by ``make lock``.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# Image -> the extra of pyproject.toml that it installs.
IMAGES = {"ingress": "ingress", "workers": "workers", "console": "console"}

# The images of the parts that tell of spans: with the build argument EXTRAS=tracing they install this extra as well.
TRACED = ("ingress", "workers")

OPTIONS = ("--universal", "--generate-hashes", "--no-annotate", "--quiet", "--custom-compile-command", "make lock")


def lock_file(image: str, *, traced: bool = False) -> Path:
    """Return where the lock file of `image` stands, relative to the root of the repository."""
    return Path("deploy", "images", f"{image}.tracing.lock" if traced else f"{image}.lock")


def write_lock(target: Path, *extras: str) -> None:
    """Resolve base dependencies and extras within requirements.lock. Raises CalledProcessError when they disagree."""
    # What an older resolution chose must not weigh on this one.
    (ROOT / target).unlink(missing_ok=True)
    uv = Path(sys.executable).with_name("uv")
    command = (
        *(str(uv), "pip", "compile", "pyproject.toml", *(f"--extra={extra}" for extra in extras)),
        *("--constraint", "requirements.lock", *OPTIONS, "--output-file", str(target)),
    )
    # uv prints the whole resolution as well as writing it.
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    """Write all of them."""
    for image, extra in IMAGES.items():
        write_lock(lock_file(image), extra)
    for image in TRACED:
        write_lock(lock_file(image, traced=True), IMAGES[image], "tracing")


if __name__ == "__main__":
    main()
