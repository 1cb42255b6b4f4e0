"""Certificates, authorities, revocation lists, pins and passwords rotate while pushes arrive, and none is refused."""

import http.client
import itertools
import shutil
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deploy.embedded.certificate_files import CLIENT_SUBJECT, LOOPBACK, read_pair, write_pair
from deploy.embedded.certificates import Issued, issue_certificate, make_authority, make_crl
from deploy.embedded.engine import Server
from tests.conftest import CertificateFiles
from tests.integration.door import Equipment, Process, Sender, basic, equip, run_door, wait_for
from tests.integration.smuggling import exchange, request
from tests.integration.test_door_nginx import run_nginx


@dataclass(slots=True)
class Traffic:
    """Senders that push all the time: half of them keep their connections, the others come anew for each push."""

    sender: Sender
    answers: Counter[str] = field(default_factory=Counter)
    following: dict[int, Sender] = field(default_factory=dict)
    ending: threading.Event = field(default_factory=threading.Event)

    def push_on(self, *, keep: bool) -> None:
        """Push until the end; the sender may be exchanged meanwhile."""
        connection: http.client.HTTPSConnection | None = None
        used: Sender | None = None
        while not self.ending.wait(0.01):
            if used is not self.sender or not keep or connection is None:
                if connection is not None:
                    connection.close()
                used = self.sender
                connection = used.connect()
            try:
                told = str(used.push(connection=connection).status)
            except (OSError, http.client.HTTPException) as error:
                told = f"{type(error).__name__}: {error}"
                connection.close()
                connection = None
            self.answers[told] += 1
            self.following[threading.get_ident()] = used
        if connection is not None:
            connection.close()

    def wait_for_more(self, pushes: int) -> None:
        """Wait until so many more pushes were answered."""
        wanted = self.answers["200"] + pushes
        wait_for(lambda: self.answers["200"] >= wanted or len(self.answers) > 1, 30)

    def wait_for_followers(self) -> None:
        """Wait until every thread pushes as the present sender."""
        wait_for(lambda: all(used is self.sender for used in self.following.values()), 30)


@contextmanager
def traffic(sender: Sender) -> Iterator[Traffic]:
    """Push from four threads while the block runs; at its end every push must have been acknowledged."""
    running = Traffic(sender)
    threads = [threading.Thread(target=running.push_on, kwargs={"keep": bool(number % 2)}) for number in range(4)]
    for thread in threads:
        thread.start()
    try:
        running.wait_for_more(20)
        yield running
        running.wait_for_more(50)
    finally:
        running.ending.set()
        for thread in threads:
            thread.join()
    assert set(running.answers) == {"200"}, running.answers


@pytest.fixture
def equipment(tmp_path: Path, certificates: CertificateFiles, journal_server: Server) -> Equipment:
    """Configure a door with files of its own, to be changed."""
    own = equip(tmp_path / "door", certificates, journal_server.url)
    for file in (certificates.server.certificate, certificates.server.key, certificates.crl, certificates.ca):
        shutil.copy(file, tmp_path / file.name)
        own.configure((str(file), str(tmp_path / file.name)))
    own.empty_journal()
    return own


@pytest.fixture
def authority(certificates: CertificateFiles) -> Issued:
    """Return the authority of the door's clients and of the door."""
    found = read_pair(certificates.ca.parent, "ca")
    assert found is not None
    return found


def write_slowly(file: Path, content: bytes) -> None:
    """Write a file in two pieces, as a copy over a network does."""
    with file.open("wb") as opened:
        opened.write(content[: len(content) // 2])
        opened.flush()
        time.sleep(0.3)
        opened.write(content[len(content) // 2 :])


def wait_for_all(door: Process, event: str = "certificates renewed") -> None:
    """Wait until each worker process has said it since now, which is when the files have come to rest."""
    since = datetime.now(UTC) + timedelta(seconds=0.2)  # what is said before may be about half a file
    workers = {line["process"] for line in door.written() if line["event"] == "worker ready"}

    def said() -> bool:
        lines = [line for line in door.lines() if line["event"] == event]
        return {line["process"] for line in lines if datetime.fromisoformat(line["at"]) > since} == workers

    wait_for(said, 30)


def wait_for_events(door: Process, event: str, count: int) -> None:
    """Wait until so many log lines say it."""
    wait_for(lambda: len([line for line in door.lines() if line["event"] == event]) >= count)


def test_files_rotate_under_load(
    equipment: Equipment, authority: Issued, certificates: CertificateFiles, tmp_path: Path
) -> None:
    """Server certificate, CA bundle and CRL change, written slowly and in any order; no push is refused meanwhile."""
    successor = make_authority("CN=next authority,O=alert-intake development")
    next_client = write_pair(tmp_path, "next-client", issue_certificate(successor, CLIENT_SUBJECT, side="client"))
    old_ca = certificates.ca.read_bytes()
    with run_door(equipment.environment, tmp_path / "log", workers=2) as door, traffic(equipment.ethoca(door)) as load:
        renewed = issue_certificate(authority, "CN=localhost", side="server", hosts=LOOPBACK)
        write_slowly(tmp_path / "server.key", renewed.key_pem())
        time.sleep(0.8)  # a key without its certificate: the old pair stays in use
        write_slowly(tmp_path / "server.pem", renewed.certificate_pem())
        wait_for_all(door)
        load.wait_for_more(50)

        write_slowly(tmp_path / "crl.pem", make_crl(authority) + make_crl(successor))
        wait_for_all(door)
        write_slowly(tmp_path / "ca.pem", old_ca + successor.certificate_pem())
        wait_for_all(door)
        load.wait_for_more(50)
        load.sender = replace(load.sender, pair=next_client)  # the sender follows in its own time
        load.wait_for_followers()
        write_slowly(tmp_path / "ca.pem", successor.certificate_pem())
        wait_for_all(door)
        load.wait_for_more(50)
        with pytest.raises((ssl.SSLError, ConnectionError)):
            equipment.ethoca(door).push()


def test_pins_and_passwords_rotate_under_load(equipment: Equipment, authority: Issued, tmp_path: Path) -> None:
    """A new subject and a new password are let in beside the old ones, then the old ones go; no push is refused."""
    file, password = equipment.file, equipment.file.parent / "secrets" / "ethoca_password"
    moved = write_pair(tmp_path, "moved", issue_certificate(authority, "CN=moved.example", side="client"))
    with run_door(equipment.environment, tmp_path / "log", workers=2) as door, traffic(equipment.ethoca(door)) as load:
        old = load.sender
        new = replace(old, pair=moved, headers=basic("ethoca", "a new password"))
        assert new.push().status == 403
        next_password = tmp_path / "next_password"
        next_password.write_text("a new password\n")
        second = (
            f'[[sources.credentials]]\nscheme = "basic"\nuser = "ethoca"\npassword = {{file = "{next_password}"}}\n\n'
        )
        content = file.read_text().replace('subjects = ["', 'subjects = ["CN=moved.example", "')
        content = content.replace('[[sources]]\nname = "reseller"', second + '[[sources]]\nname = "reseller"')
        write_slowly(file, content.encode())
        wait_for_all(door, "pins and credentials renewed")
        assert new.push().status == 200
        load.sender = new
        load.wait_for_followers()

        write_slowly(password, b"nobody knows this one\n")
        write_slowly(file, content.replace(f'"{CLIENT_SUBJECT}"', '"CN=nobody"').encode())
        wait_for_all(door, "pins and credentials renewed")
        assert old.push().status == 403
        assert replace(new, headers=old.headers).push().status == 401
        load.wait_for_more(50)
        write_slowly(file, b"= broken")
        wait_for_events(door, "configuration not renewed", 2)
        load.wait_for_more(50)
    assert not [
        line for line in door.lines() if line["event"] == "pins and credentials renewed" and line["restart_needed"]
    ]


def test_other_settings_need_a_restart(equipment: Equipment, tmp_path: Path) -> None:
    """What else changes in the configuration is not taken over, and the log says that a restart is needed."""
    with run_door(equipment.environment, tmp_path / "log") as door:
        sender = equipment.ethoca(door)
        assert sender.push().status == 200
        equipment.configure(("[sealing]", "[door]\nmax_body = 5\n\n[sealing]"))

        def told() -> bool:
            assert sender.push().status == 200
            return any(line.get("restart_needed") for line in door.lines())

        wait_for(told)


def test_revoked_session_is_not_resumed(
    equipment: Equipment, authority: Issued, certificates: CertificateFiles, tmp_path: Path
) -> None:
    """A ticket from before a revocation opens nothing after it."""
    client = read_pair(certificates.ca.parent, "client")
    assert client is not None
    with run_door(equipment.environment, tmp_path / "log") as door:
        sender = equipment.ethoca(door)
        context = sender.context()

        def push(session: ssl.SSLSession | None) -> tuple[bytes, ssl.SSLSession | None, bool]:
            with (
                socket.create_connection(("127.0.0.1", door.port), timeout=20) as plain,
                context.wrap_socket(plain, server_hostname="localhost", session=session) as connection,
            ):
                return exchange(connection, request(sender)), connection.session, bool(connection.session_reused)

        answer, session, _ = push(None)
        assert answer.startswith(b"HTTP/1.1 200")
        assert push(session)[2]
        (tmp_path / "crl.pem").write_bytes(make_crl(authority, [client.certificate]))
        wait_for_all(door)
        answer, _, reused = push(session)
        assert (answer, reused) == (b"", False)


def test_connection_whose_certificate_is_not_trusted_any_more(
    equipment: Equipment, authority: Issued, tmp_path: Path
) -> None:
    """When an authority goes, the open connections of its senders end; those of others go on, one request each."""
    other = make_authority("CN=other authority")
    (tmp_path / "ca.pem").write_bytes(authority.certificate_pem() + other.certificate_pem())
    (tmp_path / "crl.pem").write_bytes(make_crl(authority) + make_crl(other))
    going = write_pair(tmp_path, "going", issue_certificate(other, CLIENT_SUBJECT, side="client"))
    with run_door(equipment.environment, tmp_path / "log") as door:
        stays = equipment.ethoca(door)
        goes = replace(stays, pair=going)
        kept, lost = stays.connect(), goes.connect()
        assert [stays.push(connection=kept).status, goes.push(connection=lost).status] == [200, 200]
        (tmp_path / "ca.pem").write_bytes(authority.certificate_pem())
        assert lost.sock.recv(1) == b""  # ended by the door
        answers = [stays.push(connection=kept) for _ in range(2)]
        assert [answer.status for answer in answers] == [200, 200]
        assert [answer.headers.get("Connection") for answer in answers] == ["close", "keep-alive"]
        kept.close()
        lost.close()


def test_files_rotate_behind_nginx(
    equipment: Equipment, authority: Issued, certificates: CertificateFiles, engines_folder: Path, tmp_path: Path
) -> None:
    """Behind nginx the door follows CA bundle and CRL by itself; no push on a new connection is refused meanwhile."""
    equipment.configure(("[sealing]", "[door]\nproxy = true\n\n[sealing]"))
    bind = engines_folder / "rotation.sock"
    refused = 0
    with (
        run_door(equipment.environment, tmp_path / "log", workers=2, bind=f"unix:{bind}") as door,
        run_nginx(equipment, bind, tmp_path / "nginx") as port,
    ):
        sender = replace(equipment.ethoca(door), port=port)
        successor = make_authority("CN=next authority,O=alert-intake development")
        contents = itertools.cycle([make_crl(authority) + make_crl(successor), make_crl(authority)])
        writer_ended = threading.Event()

        def rewrite() -> None:
            for _ in range(3):
                write_slowly(tmp_path / "crl.pem", next(contents))
                write_slowly(tmp_path / "ca.pem", certificates.ca.read_bytes() + successor.certificate_pem())
                time.sleep(0.7)
            writer_ended.set()

        writer = threading.Thread(target=rewrite)
        writer.start()
        while not writer_ended.is_set():
            refused += sender.push().status != 200
        writer.join()
        assert refused == 0
        client = read_pair(certificates.ca.parent, "client")
        assert client is not None
        (tmp_path / "crl.pem").write_bytes(make_crl(authority, [client.certificate]))
        wait_for(lambda: {sender.push().status for _ in range(5)} == {403})
