"""`alert-intake up`: comes up by itself, keeps its data through everything, leaves nothing behind."""

import fcntl
import json
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import requests

from tests.e2e.running import ROOT, STOP_SECONDS, Account, Stack, alive, descendants, wait_until

KEYS = [
    *("PUSH_URL", "PLATFORM_URL", "CONSOLE_URL", "CONSOLE_TOKEN", "CA_CERT", "CLIENT_CERT", "CLIENT_KEY"),
    *("ETHOCA_BASIC", "RESELLER_BASIC", "RESELLER_API_KEY", "JOURNAL_URL", "BROKER_URL", "DATABASE_URL"),
    *("RECEIVER_URL", "RUN_PID"),
]
SAMPLES = 4
SAMPLE_ALERTS = 3


@pytest.fixture(scope="module")
def latecomer(stack: Stack, open_folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Start a second run on the folder of the first, which it will wait for in vain."""
    late = Stack(stack.var, open_folder / "latecomer")
    process = late.launch("--no-samples")
    yield process
    if process.poll() is None:
        process.kill()
    process.wait()


@pytest.mark.usefixtures("latecomer")
def test_run_file_says_how_to_reach_everything(stack: Stack) -> None:
    """run.env holds exactly the documented keys, for its owner only, and each address answers."""
    file = stack.var / "run.env"
    assert list(stack.facts) == KEYS
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with requests.Session() as session:
        session.trust_env = False
        session.verify = stack.facts["CA_CERT"]
        session.cert = (stack.facts["CLIENT_CERT"], stack.facts["CLIENT_KEY"])
        assert session.get(stack.facts["PUSH_URL"] + "/", timeout=10).status_code == 404
        token = {"Authorization": f"Bearer {stack.facts['CONSOLE_TOKEN']}"}
        answer = session.get(stack.facts["CONSOLE_URL"] + "/v1/alerts", headers=token, timeout=10)
        assert isinstance(answer.json()["data"], list)
    assert receiver_counts(stack)["bad_signatures"] == 0


def test_ended_program_is_started_again(stack: Stack) -> None:
    """A program that is killed is replaced, and the run says so in one line."""
    port = stack.facts["RECEIVER_URL"].rpartition(":")[2]
    [receiver] = [pid for pid in descendants(int(stack.facts["RUN_PID"])) if f"--port\0{port}" in command_of(pid)]
    os.kill(receiver, signal.SIGKILL)
    assert wait_until(lambda: "receiver ended by signal SIGKILL; starting it again" in stack.output.read_text(), 10)
    assert wait_until(lambda: answers(stack.facts["RECEIVER_URL"]), 20)


def test_second_run_on_a_folder_is_refused(stack: Stack, latecomer: "subprocess.Popen[bytes]") -> None:
    """It waits for the first to end, then says in one line which process it is."""
    assert latecomer.wait(60) == 1
    lines = (stack.output.with_name("latecomer")).read_text().splitlines()
    assert len(lines) == 1
    assert f"pid {stack.facts['RUN_PID']}" in lines[0]
    assert answers(stack.facts["RECEIVER_URL"])


CIRCUMSTANCES = {
    "as-this-user": "in a folder that everybody may enter",
    "below-a-closed-folder": "in a folder that only this user may enter",
    "as-an-ordinary-user": "as nobody, when the tests run as root",
}


@pytest.fixture(params=CIRCUMSTANCES)
def own_stack(request: pytest.FixtureRequest, open_folder: Path) -> Iterator[Stack]:
    """Return a stack of the test's own, not started, in one of the circumstances."""
    folder = open_folder / request.param
    folder.mkdir()
    account = Account()
    if request.param == "below-a-closed-folder":
        folder.chmod(0o700)
    elif request.param == "as-an-ordinary-user":
        if os.geteuid() != 0:
            pytest.skip("the tests run as an ordinary user already")
        account = ordinary_account()
        os.chown(folder, account.uid or 0, account.gid or 0)
    stack = Stack(folder / "var", folder / "output", account)
    try:
        yield stack
    finally:
        if stack.process is not None and stack.process.poll() is None:
            stack.stop(signal.SIGKILL)
        elsewhere = stack.var / "postgres" / "engine.json"
        data = Path(json.loads(elsewhere.read_text())["data"]) if elsewhere.exists() else Path()
        if data.is_absolute():
            shutil.rmtree(data.parent)


def test_data_survive_a_kill_and_nothing_is_left_behind(own_stack: Stack) -> None:
    """After `kill -9` all ends by itself and the next run has the data; after SIGTERM no process or lock is left."""
    own_stack.start()
    said = own_stack.output.read_text()
    assert [said.count(ending) for ending in ("│ stored", "│ duplicate")] == [SAMPLE_ALERTS, SAMPLES - SAMPLE_ALERTS]
    assert stored_alerts(own_stack) == SAMPLE_ALERTS
    assert wait_until(lambda: receiver_counts(own_stack)["distinct"] == SAMPLE_ALERTS, 10)
    first = own_stack.facts
    ran = own_stack.stop(signal.SIGKILL)
    assert len(ran) > 10
    assert wait_until(lambda: not alive(ran), STOP_SECONDS), alive(ran)

    own_stack.account.environment |= first  # as in a shell that has read run.env
    own_stack.start()
    assert {key: value for key, value in own_stack.facts.items() if key != "RUN_PID"} == {
        key: value for key, value in first.items() if key != "RUN_PID"
    }
    assert stored_alerts(own_stack) == SAMPLE_ALERTS
    assert receiver_counts(own_stack) | {"last": None} == {
        "received": SAMPLE_ALERTS,
        "distinct": SAMPLE_ALERTS,
        "bad_signatures": 0,
        "last": None,
    }
    ran = [*descendants(int(own_stack.facts["RUN_PID"]))]
    assert own_stack.process is not None
    own_stack.process.terminate()
    assert own_stack.process.wait(STOP_SECONDS) == 0
    assert alive(ran) == []
    assert not (own_stack.var / "run.env").exists()
    for lock in own_stack.var.rglob("lock"):
        with lock.open("rb") as held:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_tethered_run_ends_with_its_parent(open_folder: Path) -> None:
    """When `make` is killed, its run ends by itself, in order."""
    stack = Stack(open_folder / "tethered", open_folder / "tethered.output")
    command = f"{sys.executable} -m console.command up --tethered --no-samples --var {stack.var} & echo $!; wait"
    with stack.output.open("ab") as output:
        parent = subprocess.Popen(
            ["/bin/sh", "-c", command], stdout=subprocess.PIPE, stderr=output, cwd=ROOT, start_new_session=True
        )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    try:
        assert wait_until(lambda: (stack.var / "log" / "journal.log").exists() and len(descendants(pid)) > 1, 30)
        ran = [pid, *descendants(pid)]
    finally:
        parent.kill()
        parent.wait()
        parent.stdout.close()
    assert wait_until(lambda: not alive(ran), STOP_SECONDS + 15)


def ordinary_account() -> Account:
    """Return an account without rights, with a Python that it may run and that finds the packages installed here.

    Where root's Python lies below root's closed home, the account is lent the right to look into closed folders.
    """
    nobody = pwd.getpwnam("nobody")
    become = ("setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups")
    looking = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
    environment = {"HOME": "/nonexistent"}
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv (util-linux) is needed to run as another user")
    for python in ((*become, sys.executable), (*become, *looking, sys.executable)):
        tried = subprocess.run(
            [*python, "-c", "import console.commands.up"],
            cwd=ROOT,
            env=os.environ | environment,
            capture_output=True,
            check=False,
        )
        if tried.returncode == 0:
            return Account(python, nobody.pw_uid, nobody.pw_gid, environment)
    return pytest.skip(f"the user nobody may not run {sys.executable} on this checkout")


def receiver_counts(stack: Stack) -> dict[str, object]:
    """Ask the receiver what it got."""
    counts: dict[str, object] = fetch(stack.facts["RECEIVER_URL"]).json()
    return counts


def answers(url: str) -> bool:
    """Tell whether an HTTP server answers."""
    try:
        return fetch(url).status_code == 200
    except requests.RequestException:
        return False


def fetch(url: str) -> requests.Response:
    """GET an address of this machine, past any proxy."""
    with requests.Session() as session:
        session.trust_env = False
        return session.get(url, timeout=10)


def stored_alerts(stack: Stack) -> int:
    """Count the alerts in the database."""
    with psycopg.connect(stack.facts["DATABASE_URL"]) as database:
        row = database.execute("SELECT count(*) FROM alerts").fetchone()
    assert row is not None
    return int(row[0])


def command_of(pid: int) -> str:
    """Return the command line of a process, its arguments divided by NUL."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""
