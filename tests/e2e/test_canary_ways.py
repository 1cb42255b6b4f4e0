"""The same by every other way in: through nginx, at the console, by the command."""

import contextlib
import json
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
import requests

from tests.e2e.bodies import fresh_id
from tests.e2e.canaries import PAN, Canaries, basic, require_nowhere
from tests.e2e.doors import run_door_behind_nginx
from tests.e2e.running import ROOT, Stack
from tests.e2e.sender import Sender
from tests.e2e.test_canary import fail_handshakes
from tests.e2e.window import find_alert, get, settled, wait_for
from tests.nginx import Nginx

HOST = "alerts.example.org"


def refuse_through_nginx(canaries: Canaries) -> None:
    """Bring about the refusals of nginx itself, and some of the door behind it, with canaries in line and query."""
    body, push, place = canaries.body(fresh_id()), canaries.push, canaries.place
    query = f"POST /push/reseller?password={canaries.password}&key={canaries.api_key}"
    assert push(body + b" " * 2**21, start=query) == 413
    assert push(body + b" " * 2**20, start=query) == 413
    assert push(body, start=f"POST /{place}{'x' * 9000}") == 414
    assert push(body, start=f"POST /push/{PAN}?{place}") == 404
    assert push(body, start=f"{place} /push/reseller") == 400
    assert push(body, f"X-Long: {place * 500}", start=query) == 400
    assert push(body, f"Transfer-Encoding: {place}", start=query) == 400
    assert push(b"zz\r\n" + body, "Transfer-Encoding: chunked", start=query) == 400
    assert push(body, key=canaries.api_key) == 401
    assert push(body, basic("reseller", canaries.password), key="x", start=query) == 401
    head = f"POST /push/ethoca?{place} HTTP/1.1\r\nHost: {place}\r\n{basic('ethoca', PAN)}\r\nConnection: close\r\n\r\n"
    assert canaries.send(head.encode(), certificate=False) == 403


def requests_of(nginx: Nginx) -> list[dict[str, Any]]:
    """Return what nginx notes of each request."""
    return [json.loads(line) for line in (nginx.folder / "access.log").read_text().splitlines()]


def ask_console(canaries: Canaries, rejection: str, ethoca: str) -> set[int]:
    """Search, sign in, correct, subscribe, and ask for what is not there; return what was answered."""
    url, right = canaries.facts["CONSOLE_URL"], {"Authorization": f"Bearer {canaries.facts['CONSOLE_TOKEN']}"}
    corrected = {"alertId": ethoca, "alertType": "CUSTOMERDISPUTE", "comment": PAN, "unknown": [canaries.contact]}
    subscription = {
        "name": f"canary-{uuid4().hex}", "url": f"https://{HOST}/hook",
        "basic": {"user": "somebody", "password": canaries.password}, "headers": {"X-Key": canaries.api_key},
    }  # fmt: skip
    with requests.Session() as person:
        person.trust_env = False
        answers = [
            person.get(f"{url}/v1/alerts", params={"provider_alert_id": PAN}, headers=right),
            person.get(f"{url}/alerts", params={"q": f"{PAN} {canaries.contact}"}, headers=right),
            person.get(f"{url}/v1/alerts", params={canaries.place: PAN, "limit": canaries.token}, headers=right),
            person.get(f"{url}/v1/alerts/{PAN}", params={"password": canaries.password}, headers=right),
            person.get(f"{url}/{canaries.place}/{PAN}", headers=right),
            person.get(f"{url}/v1/alerts", params={"x": PAN}, headers={"Authorization": f"Bearer {canaries.token}"}),
            person.get(f"{url}/v1/alerts", auth=("somebody", canaries.password)),
            person.post(f"{url}/v1/rejections/{uuid4()}/replay", json=corrected, headers=right),
            person.post(f"{url}/v1/rejections/{rejection}/replay", data=f'{{"comment": "{PAN}', headers=right),
            person.post(f"{url}/v1/rejections/{rejection}/replay", json={"comment": PAN}, headers=right),
            person.post(f"{url}/v1/rejections/{rejection}/replay", json=corrected, headers=right),
            person.post(f"{url}/v1/subscriptions", json=subscription | {"url": canaries.place}, headers=right),
            person.post(f"{url}/v1/subscriptions", json=subscription | {"headers": canaries.api_key}, headers=right),
            person.post(f"{url}/v1/subscriptions", json=subscription, headers=right),
            person.get(f"{url}/v1/subscriptions/{subscription['name']}", headers=right),
            person.delete(f"{url}/v1/subscriptions/{subscription['name']}", headers=right),
            person.get(f"{url}/sign-in", params={"next": f"/{canaries.place}"}),
        ]
        form = {"token": canaries.token, "csrf_token": next(iter(person.cookies.values()), "")}
        answers += [
            person.post(f"{url}/sign-in", data=form),
            person.post(f"{url}/sign-in", data=form | {"csrf_token": canaries.token}),
        ]
    return {answer.status_code for answer in answers}


def run_commands(canaries: Canaries, stack: Stack, folder: Path) -> None:
    """Push, search, correct, subscribe by the command, and come with what it cannot use; keep what it says."""
    whole, broken, secret = folder / "whole.json", folder / "broken.json", folder / "secret"
    whole.write_bytes(canaries.body(fresh_id()))
    broken.write_bytes(canaries.body(fresh_id())[:-5])
    secret.write_text(f"X-Key: {canaries.api_key}\n")
    name = f"canary-{uuid4().hex}"
    for arguments, status in (
        (["push", whole], 0),
        (["push", broken], 1),
        (["alerts", "list", "--provider-alert-id", PAN], 0),
        (["rejections", "replay", str(uuid4()), "--body", whole], 1),
        (["subscriptions", "add", name, f"https://{HOST}/", "--header", f"@{secret}", "--basic", canaries.password], 1),
        (["subscriptions", "add", name, f"https://{HOST}/", "--header", f"@{secret}"], 0),
        (["subscriptions", "show", name], 0),
        (["subscriptions", "remove", name, "--yes"], 0),
        (["alerts", "list", "--json"], 0),
        (["doctor"], 0),
    ):
        command = [sys.executable, "-m", "console.command", *map(str, arguments)]
        environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)}
        ended = subprocess.run(command, cwd=stack.var.parent, env=environment, capture_output=True, check=False)
        if b" 503 " in ended.stdout:  # its disk was busy: a sender repeats the push
            ended = subprocess.run(command, cwd=stack.var.parent, env=environment, capture_output=True, check=False)
        assert ended.returncode == status, f"{arguments}: {(ended.stdout + ended.stderr).decode()}"
        canaries.answers += [ended.stdout, ended.stderr]


def reject(run: Mapping[str, str], body: object) -> str:
    """Push what becomes no alert, and return the id of its rejection."""
    sender = Sender(run)
    before = {row["id"] for row in get(run, "/v1/rejections", state="open", limit=500)["data"]}
    assert sender.push(body).status == 400
    sender.close()
    rows = wait_for(
        lambda: [row for row in get(run, "/v1/rejections", state="open", limit=500)["data"] if row["id"] not in before],
        len,
    )
    return str(rows[0]["id"])


@pytest.fixture
def canaries(run: Mapping[str, str]) -> Canaries:
    """Make values that nobody else has."""
    return Canaries(run)


def test_no_canary_is_left_behind_by_nginx(
    stack: Stack, run: Mapping[str, str], run_folders: list[Path], open_folder: Path, tmp_path: Path
) -> None:
    """Refused by nginx or by the door behind it, and while that is gone: in no log of either, queries included."""
    folder, alert_id = open_folder / "canary", fresh_id()
    with run_door_behind_nginx(stack, folder) as (facts, door, nginx):
        canaries = Canaries(facts)
        assert canaries.push(canaries.body(alert_id), start=f"POST /push/reseller?{canaries.place}") == 200
        refuse_through_nginx(canaries)
        fail_handshakes(canaries, tmp_path)
        door.popen.terminate()
        door.popen.wait(20)
        assert canaries.push(canaries.body(fresh_id()), start=f"POST /push/reseller?{PAN}&{canaries.place}") == 503
        noted = {200, 400, 401, 403, 404, 413, 414, 503}
        wait_for(lambda: {line["status"] for line in requests_of(nginx)}, lambda statuses: statuses >= noted)
        assert {line["door"] for line in requests_of(nginx)} >= {"200", "401", "404", "413", "502", ""}
    settled(run)
    wait_for(lambda: find_alert(run, alert_id), bool)
    require_nowhere(canaries, alert_id, stack, [*run_folders, folder])


def test_no_canary_is_left_behind_by_the_console(
    stack: Stack, run: Mapping[str, str], run_folders: list[Path], canaries: Canaries, tmp_path: Path
) -> None:
    """Asked for, signed in with, corrected, subscribed with, given to commands: in no log, table, metric or output."""
    alert_id = fresh_id()
    rejection = reject(run, {"alertType": "CUSTOMERDISPUTE", "comment": PAN})
    statuses = ask_console(canaries, rejection, alert_id)
    assert statuses >= {200, 201, 204, 400, 401, 403, 404, 422}
    run_commands(canaries, stack, tmp_path)
    settled(run)
    wait_for(lambda: find_alert(run, alert_id), bool)
    require_nowhere(canaries, alert_id, stack, run_folders)


def test_no_canary_is_left_behind_by_what_cannot_be_read(
    stack: Stack, run: Mapping[str, str], run_folders: list[Path], canaries: Canaries
) -> None:
    """Requests that are none, at the console and at the platform's listener: nothing of them is quoted anywhere."""
    alert_id = fresh_id()
    assert canaries.push(canaries.body(alert_id)) == 200
    for listener in ("CONSOLE_URL", "PLATFORM_URL"):
        url = urlsplit(run[listener])
        for data in (
            f"{canaries.place} / HTTP/1.1\r\n\r\n",
            f"{PAN} / HTTP/1.1\r\n\r\n",
            f"{PAN} /livez HTTP/1.1\r\n\r\n",
            f"GET /{PAN}?{canaries.place} HTTP/9.9\r\nX: {canaries.token}\r\n\r\n",
            f"GET / HTTP/1.1\r\nX-Other : {canaries.password}\r\n\r\n",
            f"GET / HTTP/1.1\r\nTransfer-Encoding: {canaries.token}\r\n\r\n",
            f"GET / HTTP/1.1\r\nContent-Length: {PAN}x\r\n\r\n",
            f"GET /{canaries.place * 300} HTTP/1.1\r\n\r\n",
            f"GET / HTTP/1.1\r\nX: {canaries.api_key * 500}\r\n\r\n",
            f"GET / HTTP/1.1\r\nExpect: {canaries.place}\r\n\r\n",
        ):
            with socket.create_connection((str(url.hostname), int(url.port or 80)), 20) as connection:
                connection.sendall(data.encode())
                connection.shutdown(socket.SHUT_WR)
                with contextlib.suppress(ConnectionError):
                    canaries.answers.append(connection.recv(65536))
    settled(run)
    wait_for(lambda: find_alert(run, alert_id), bool)
    require_nowhere(canaries, alert_id, stack, run_folders)
