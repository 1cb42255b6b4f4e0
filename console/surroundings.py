"""Where a command finds its servers: the environment, else the file that a local `make run` leaves in ./var."""

import os
from collections.abc import Mapping
from pathlib import Path

from schemas.settings.secret import ConfigurationError

RUN_FILE = Path("var") / "run.env"
ADDRESSES = ("JOURNAL_URL", "BROKER_URL", "DATABASE_URL", "PUSH_URL")


def adopt_surroundings(named: str | None) -> None:
    """Complete the environment of this process from the run file, `named` by the user or left by a local run.

    Raises ConfigurationError when a named file cannot be read.
    """
    file = Path(named) if named else RUN_FILE
    try:
        run = read_run_file(file)
    except (OSError, UnicodeDecodeError) as error:
        if named:
            raise ConfigurationError(f"{named} cannot be read ({error}); is `make run` up there?") from error
        return
    os.environ.update(run if named else complete_environment(os.environ, run))


def read_run_file(file: Path) -> dict[str, str]:
    """Read ``KEY=value`` lines, values unquoted, and add the configuration file that lies beside them."""
    lines = (line.partition("=") for line in file.read_text(encoding="utf-8").splitlines() if "=" in line)
    run = {key.strip(): value for key, _, value in lines if not key.startswith("#")}
    configuration = file.parent / "config.toml"
    if configuration.exists():
        run.setdefault("ALERT_INTAKE_CONFIG", str(configuration.resolve()))
    return run


def complete_environment(environment: Mapping[str, str], run: Mapping[str, str]) -> dict[str, str]:
    """Return what the environment lacks and the run file has: nothing when they speak of two installations.

    Half of one installation and half of another would be worse than an error.
    """
    set_here = [name for name in (*ADDRESSES, "ALERT_INTAKE_CONFIG") if environment.get(name)]
    if any(environment[name] != run.get(name) for name in set_here):
        return {}
    return {key: value for key, value in run.items() if not environment.get(key)}
