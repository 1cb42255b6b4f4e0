"""Lines of the log: JSON by default, for people when asked, and never a local variable of a traceback."""

import io
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from workers.telemetry.logs import Lines

ROOT = Path(__file__).resolve().parents[2]
CONFIGURED = "import structlog; from {} import configure_logs; configure_logs(); log = structlog.get_logger()"
PARTS = {
    "ingress": "from ingress.telemetry.log import open_log; log = open_log()",
    "workers": CONFIGURED.format("workers.telemetry.logs"),
    "console": CONFIGURED.format("console.logs"),
}
FAILING = """
def fail(password):
    raise LookupError("it is not there")
try:
    fail("hidden" + "word")
except LookupError:
    log.exception("happened", request_id="r1", n=2)
"""


TWO_THREADS = """
import threading
from workers.telemetry.logs import LINES
def alone():
    for _ in range(4000):
        log.info("alone")
thread = threading.Thread(target=alone, daemon=True)
thread.start()
for _ in range(400):
    with LINES.together():
        for _ in range(10):
            log.info("together")
thread.join(30)
"""


def write_line(part: str, log_format: str, script: str = FAILING) -> subprocess.CompletedProcess[str]:
    """Have a part log an exception, in a process of its own."""
    environment = {"PATH": os.environ["PATH"], "LOG_FORMAT": log_format}
    return subprocess.run(
        [sys.executable, "-c", PARTS[part] + "\n" + script],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


@pytest.mark.parametrize("part", PARTS)
def test_lines_for_machines_are_json(part: str) -> None:
    """By default a line is one JSON object with the level, the event and its fields."""
    said = write_line(part, "")
    (line,) = map(json.loads, (said.stdout + said.stderr).splitlines())
    assert (line["event"], line["level"], line["request_id"], line["n"]) == ("happened", "error", "r1", 2)


@pytest.mark.parametrize("part", PARTS)
def test_lines_for_people_are_text(part: str) -> None:
    """LOG_FORMAT=console writes text with the same fields, and tracebacks without the values of variables."""
    said = write_line(part, "console")
    text = said.stdout + said.stderr
    assert said.returncode == 0, text
    assert "happened" in text
    assert "request_id=r1" in text
    assert "hiddenword" not in text
    assert not text.startswith("{")


@pytest.mark.parametrize("part", PARTS)
def test_another_format_stops_the_start(part: str) -> None:
    """A format that does not exist is an error that names the setting."""
    said = write_line(part, "xml")
    assert said.returncode != 0
    assert "LOG_FORMAT is 'xml'" in said.stderr


def test_lines_that_go_together() -> None:
    """What one thread tells together is written at once, in its order; what others tell meanwhile waits for nothing."""
    written: list[str] = []

    class File(io.StringIO):
        def write(self, text: str) -> int:
            written.append(text)
            return len(text)

    lines = Lines()
    lines.file = File()
    with lines.together():
        lines.write("first\n")
        other = threading.Thread(target=lines.write, args=("other\n",))
        other.start()
        other.join(10)
        assert written == ["other\n"]
        lines.write("second\n")
        lines.flush()
        assert written == ["other\n"]
    lines.write("third\n")
    with lines.together():
        pass
    assert written == ["other\n", "first\nsecond\n", "third\n"]


def test_threads_that_log_beside_each_other() -> None:
    """One that tells together and others that tell at once never wait for each other for good, nor lose a line."""
    said = write_line("workers", "", TWO_THREADS)
    assert said.returncode == 0, said.stderr
    events = [json.loads(line)["event"] for line in said.stderr.splitlines()]
    assert (events.count("together"), events.count("alone")) == (4000, 4000)
