"""Further doors on the journal of the running stack, with its configuration but for a few settings."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.running import Stack
from tests.gunicorn import Process, run_door
from tests.nginx import Files, Nginx, run_nginx


@contextmanager
def run_another_door(
    stack: Stack, folder: Path, *changes: tuple[str, str], bind: str | None = None
) -> Iterator[tuple[dict[str, str], Process]]:
    """Run a door until the block ends; `changes` replace text of the configuration. Return what to know of it."""
    content = (stack.var / "config.toml").read_text()
    for old, new in changes:
        assert old in content, old
        content = content.replace(old, new, 1)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "alert-intake.toml"
    file.write_text(content)
    environment = {
        "PATH": os.environ["PATH"],
        "ALERT_INTAKE_CONFIG": str(file),
        "JOURNAL_URL": stack.facts["JOURNAL_URL"],
        "PYTHONUNBUFFERED": "1",
    }
    with run_door(environment, folder / "log", workers=2, bind=bind) as door:
        yield stack.facts | {"PUSH_URL": f"https://127.0.0.1:{door.port}"}, door


@contextmanager
def run_door_behind_nginx(stack: Stack, folder: Path) -> Iterator[tuple[dict[str, str], Process, Nginx]]:
    """Run a door and the shipped nginx in front of it until the block ends. `folder` has a short path."""
    authority = Path(stack.facts["CA_CERT"])
    files = Files(authority.with_name("server.pem"), authority.with_name("server.key"), authority)
    bind = folder / "door.sock"
    proxy = ("[sealing]", "[door]\nproxy = true\n\n[sealing]")
    with (
        run_another_door(stack, folder / "door", proxy, bind=f"unix:{bind}") as (facts, door),
        run_nginx(files, bind, folder / "nginx") as nginx,
    ):
        yield facts | {"PUSH_URL": f"https://127.0.0.1:{nginx.port}"}, door, nginx
