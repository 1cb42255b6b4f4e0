"""The folder of a local run: what lies where under ``var/``, who has it, and how to reach what runs."""

import os
from dataclasses import dataclass
from pathlib import Path

from deploy.embedded.children import NotStarted
from deploy.embedded.engine import choose_port, lock_folder
from deploy.embedded.files import write_file

LARGE_LOG = 10 * 1024 * 1024  # bytes
LISTENERS = ("push", "platform", "console", "receiver", "drain_metrics", "forward_metrics")


@dataclass(frozen=True, slots=True)
class Layout:
    """Names the files of a run. `root` is absolute."""

    root: Path

    @property
    def run_file(self) -> Path:
        """Where the addresses and credentials stand while everything answers."""
        return self.root / "run.env"

    @property
    def configuration(self) -> Path:
        """The TOML file of the run."""
        return self.root / "config.toml"

    @property
    def secrets(self) -> Path:
        """The folder of generated passwords, tokens and keys."""
        return self.root / "secrets"

    @property
    def certificates(self) -> Path:
        """The folder of the development authority."""
        return self.root / "certificates"

    @property
    def metrics(self) -> Path:
        """The folder in which processes count together, one folder in it for each service."""
        return self.root / "metrics"

    @property
    def scrape_settings(self) -> Path:
        """What a Prometheus of your own has to be told to watch this run."""
        return self.root / "prometheus.yml"

    def log(self, name: str) -> Path:
        """Where a program's output goes."""
        return self.root / "log" / f"{name}.log"

    def engine(self, name: str) -> Path:
        """Where an engine's data lie."""
        return self.root / name


def claim_layout(root: Path, patience: float) -> tuple[Layout, int]:
    """Make the folder and take it for this process, waiting `patience` seconds for another run to end.

    Returns the layout and the descriptor that holds the claim until it is closed. Raises NotStarted, naming the pid.
    """
    root = root.resolve()
    pid_file = root / "up.pid"
    try:
        root.mkdir(parents=True, exist_ok=True)
        lock = lock_folder(root, patience)
    except PermissionError as error:
        raise NotStarted(f"{error.filename} is another user's; name a folder of your own with --var") from error
    except NotStarted:
        pid = pid_file.read_text(encoding="ascii").strip() if pid_file.exists() else "unknown"
        raise NotStarted(
            f"alert-intake up is running on {root} already, pid {pid}; stop it, or name another folder with --var"
        ) from None
    write_file(pid_file, f"{os.getpid()}\n", 0o644)
    layout = Layout(root)
    layout.run_file.unlink(missing_ok=True)
    set_aside_logs(root / "log")
    return layout, lock


def set_aside_logs(folder: Path) -> None:
    """Begin a new file for each log that has grown large; the one before is kept."""
    for log in folder.glob("*.log"):
        if log.stat().st_size > LARGE_LOG:
            log.replace(log.with_suffix(".log.1"))


def choose_listeners(layout: Layout, wanted: dict[str, int | None]) -> dict[str, int]:
    """Choose the ports of our own listeners: those wanted, else those of the last run while they are free."""
    folder = layout.root / "ports"
    folder.mkdir(exist_ok=True)
    return {name: choose_port(folder / name, wanted.get(name)) for name in LISTENERS}


def write_run_file(layout: Layout, facts: dict[str, str]) -> None:
    """Say how to reach what runs, to its owner only: ``KEY=value`` lines, values unquoted."""
    write_file(layout.run_file, "".join(f"{key}={value}\n" for key, value in facts.items()), 0o600)
