"""`alert-intake status --watch`: live in a terminal, plain lines in a pipe, an end without a complaint."""

import os
import pty
import select
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from tests.gunicorn import wait_for
from tests.tether import tether

COMMAND = (str(Path(sys.executable).with_name("alert-intake")), "status", "--watch", "--every", "0.2")


def test_pipe_gets_one_line_a_look(environment: dict[str, str], tmp_path: Path) -> None:
    """In a pipe there is a head and one plain line for each look, with the journal's length in it."""
    given = {"PATH": os.environ["PATH"], **environment}
    ended = subprocess.run(
        [*COMMAND, "--looks", "3"], cwd=tmp_path, env=given, capture_output=True, text=True, timeout=60, check=True
    )
    head, *lines = ended.stdout.splitlines()
    place = head.split().index("waiting")
    assert [line.split()[place] for line in lines] == ["0", "0", "0"]
    assert "\x1b" not in ended.stdout


def test_terminal_is_drawn_again_and_again_until_ctrl_c(environment: dict[str, str], tmp_path: Path) -> None:
    """In a terminal the screen shows rates and workers; Ctrl-C ends it with status 0 and leaves no traceback."""
    terminal, inside = pty.openpty()
    given = {"PATH": os.environ["PATH"], "TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40", **environment}
    watching = subprocess.Popen(
        tether(list(COMMAND)), cwd=tmp_path, env=given, stdin=inside, stdout=inside, stderr=inside
    )
    os.close(inside)
    shown = bytearray()

    def reads(wanted: bytes, times: int) -> bool:
        if select.select([terminal], [], [], 0.1)[0]:
            with suppress(OSError):  # nobody holds the other end any more
                shown.extend(os.read(terminal, 65536))
        return shown.count(wanted) >= times

    try:
        wait_for(lambda: reads(b"taken into the journal", 3), 30)
        assert b"none seen" in shown
        watching.send_signal(signal.SIGINT)
        wait_for(lambda: reads(b"", 0) and watching.poll() is not None, 10)
        assert watching.returncode == 0
        assert b"Traceback" not in shown
    finally:
        watching.kill()
        watching.wait()
        os.close(terminal)
