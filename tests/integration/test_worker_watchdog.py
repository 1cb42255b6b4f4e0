"""A worker that lives and works no more ends itself."""

import subprocess
import sys
from pathlib import Path

import redis
from celery import Celery

from tests.gunicorn import ROOT, wait_for
from tests.tether import tether

# Less patient than the real one; everything else is as it is.
IMPATIENT = """
import workers.pool.liveness, workers.pool.watchdog
workers.pool.liveness.SILENCE_SECONDS = 2.0
workers.pool.watchdog.LOOK_SECONDS = 0.5
from celery.__main__ import main
main()
"""
NODE = "drain@watched"
WORKER = ("-A", "workers.app", "worker", "-Q", "drain", "-P", "prefork", "-c", "1", "-n", NODE, "--without-mingle")


def test_worker_that_takes_no_ticks_ends_and_one_that_does_goes_on(environment: dict[str, str], tmp_path: Path) -> None:
    """It ticks for itself, also after the broker has cut all lines; told to consume no more it ends within seconds."""
    log = tmp_path / "worker.log"
    with log.open("wb") as output, redis.Redis.from_url(environment["BROKER_URL"]) as broker:
        worker = subprocess.Popen(
            tether([sys.executable, "-c", IMPATIENT, *WORKER]), cwd=ROOT, env=environment, stdout=output, stderr=output
        )
        try:
            wait_for(lambda: b"journal_group_created" in log.read_bytes(), 30)
            broker.client_kill_filter(skipme=True)
            wait_for(lambda: b"Connected to" in log.read_bytes().split(b"connection lost", 1)[-1], 30)
            said = log.read_bytes()
            assert worker.poll() is None
            assert b"takes_no_ticks" not in said
            with Celery(broker=environment["BROKER_URL"], set_as_current=False) as app:
                wait_for(lambda: bool(app.control.ping(destination=[NODE], timeout=1.0)), 30)
                app.control.cancel_consumer("drain", destination=[NODE], reply=True)
            wait_for(lambda: worker.poll() is not None, 40)
            assert b"worker_takes_no_ticks" in log.read_bytes()
        finally:
            worker.kill()
            worker.wait()
