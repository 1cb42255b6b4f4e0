"""Certificates, authorities, revocation lists, pins and passwords rotate while pushes arrive, and none is refused."""

import http.client
import itertools
import os
import signal
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import redis

from deploy.embedded.certificate_files import CLIENT_SUBJECT, LOOPBACK, read_pair, write_pair
from deploy.embedded.certificates import Issued, issue_certificate, make_authority
from deploy.embedded.engine import Server
from deploy.embedded.revocations import make_crl
from tests.authorities import spoil_list
from tests.conftest import CertificateFiles
from tests.gunicorn import run_door, wait_for
from tests.integration.door import ETHOCA_BODY, Equipment, Sender, basic
from tests.integration.raw import connected, exchange, head, request
from tests.integration.rotation import (
    equip_apart,
    processes_that_said,
    wait_for_all,
    wait_for_events,
    workers_of,
    write_slowly,
)
from tests.nginx import Files, Nginx, run_nginx

RESELLER = ("/push/reseller", b'{"payload": {"providerId": "P"}}')


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
def traffic(sender: Sender, keeping: int = 2) -> Iterator[Traffic]:
    """Push from four threads while the block runs; at its end every push must have been acknowledged.

    So many of the threads keep their connections.
    """
    running = Traffic(sender)
    threads = [threading.Thread(target=running.push_on, kwargs={"keep": number < keeping}) for number in range(4)]
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
    return equip_apart(tmp_path, certificates, journal_server.url)


@pytest.fixture
def authority(certificates: CertificateFiles) -> Issued:
    """Return the authority of the door's clients and of the door."""
    found = read_pair(certificates.ca.parent, "ca")
    assert found is not None
    return found


@pytest.fixture
def revocation(authority: Issued, certificates: CertificateFiles) -> bytes:
    """Return a list that revokes the certificate of the door's client."""
    client = read_pair(certificates.ca.parent, "client")
    assert client is not None
    return make_crl(authority, [client.certificate])


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
        wait_for_events(door, "configuration not renewed", 3)
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


def test_source_begins_to_demand_a_certificate(equipment: Equipment, tmp_path: Path) -> None:
    """A source goes over from a key to a certificate alone: that counts at once, and who has neither is refused."""
    with run_door(equipment.environment, tmp_path / "log") as door:
        keyed = equipment.reseller(door)
        stranger, certified = replace(keyed, headers={}), replace(keyed, headers={}, pair=equipment.certificates.client)
        kept = stranger.connect()
        assert [one.push(*RESELLER).status for one in (keyed, stranger, certified)] == [200, 401, 401]
        assert stranger.push(*RESELLER, connection=kept).status == 401
        before, found, after = equipment.file.read_text().partition('certificate = "optional"')
        repair, _, _credentials = after.partition("[[sources.credentials]]")
        equipment.file.write_text(f'{before}certificate = "required"\nsubjects = ["{CLIENT_SUBJECT}"]{repair}')
        assert found
        wait_for(lambda: certified.push(*RESELLER).status == 200)
        assert [one.push(*RESELLER).status for one in (keyed, stranger)] == [403, 403]
        assert stranger.push(*RESELLER, connection=kept).status == 403
        kept.close()


def test_source_that_is_taken_out_admits_nobody(equipment: Equipment, tmp_path: Path) -> None:
    """Neither a password that was rotated away nor the last one counts once the source of a sender is gone."""
    file, password = equipment.file, equipment.file.parent / "secrets" / "reseller_api_key"
    equipment.configure(("[sealing]", "[door]\nfailed_authentications_per_minute = 6000\n\n[sealing]"))
    with run_door(equipment.environment, tmp_path / "log") as door:
        first = equipment.reseller(door)
        second = replace(first, headers={"X-API-Key": "another key"})
        password.write_text("another key\n")
        wait_for(lambda: [sender.push(*RESELLER).status for sender in (first, second)] == [401, 200])
        whole = file.read_text()
        file.write_text(whole.partition('[[sources]]\nname = "reseller"')[0])
        wait_for(lambda: second.push(*RESELLER).status == 401)
        answer = first.push(*RESELLER)
        assert (answer.status, answer.fault["ReasonCode"]) == (401, "AUTHENTICATION_FAILURE")
        assert equipment.ethoca(door).push().status == 200
        file.write_text("= broken")
        wait_for(lambda: equipment.ethoca(door).push().status == 200 and "not renewed" in door.output.read_text())
        assert [sender.push(*RESELLER).status for sender in (first, second)] == [401, 401]
        file.write_text(whole)
        wait_for(lambda: second.push(*RESELLER).status == 200)
    (withdrawn, *_) = [line for line in door.lines() if line["event"] == "source withdrawn"]
    assert (withdrawn["source"], withdrawn["level"]) == ("reseller", "warning")


def test_revocation_list_from_a_host_whose_clock_is_ahead(
    equipment: Equipment, revocation: bytes, tmp_path: Path
) -> None:
    """A list that was copied with its time, which is still to come here, counts as soon as any other."""
    with run_door(equipment.environment, tmp_path / "log") as door:
        (tmp_path / "crl.pem").write_bytes(revocation)
        os.utime(tmp_path / "crl.pem", (time.time() + 3600, time.time() + 3600))
        wait_for_all(door)
        with pytest.raises((ssl.SSLError, ConnectionError)):
            equipment.ethoca(door).push()


def test_revoked_session_is_not_resumed(equipment: Equipment, revocation: bytes, tmp_path: Path) -> None:
    """A ticket from before a revocation opens nothing after it."""
    with run_door(equipment.environment, tmp_path / "log") as door:
        sender = equipment.ethoca(door)
        context = sender.context()

        def push(session: ssl.SSLSession | None) -> tuple[bytes, ssl.SSLSession | None, bool]:
            with connected(sender, context, session) as connection:
                return exchange(connection, request(sender)), connection.session, bool(connection.session_reused)

        answer, session, _ = push(None)
        assert answer.startswith(b"HTTP/1.1 200")
        assert push(session)[2]
        (tmp_path / "crl.pem").write_bytes(revocation)
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


def test_request_that_waits_behind_another_one(equipment: Equipment, revocation: bytes, tmp_path: Path) -> None:
    """Whoever is revoked while a request is in hand has that one answered, and none that came along behind it."""
    equipment.configure(("[sealing]", "[journal]\ntimeout = 20.0\n\n[sealing]"))
    with (
        run_door(equipment.environment, tmp_path / "log") as door,
        redis.Redis.from_url(equipment.journal_url, protocol=2) as journal,
        connected(equipment.ethoca(door)) as connection,
    ):
        sender = equipment.ethoca(door)
        first = head(sender, b"Content-Length: %d" % len(ETHOCA_BODY)) + ETHOCA_BODY
        journal.execute_command("CLIENT PAUSE", 60_000, "WRITE")
        try:
            connection.sendall(first + request(sender))
            wait_for(lambda: journal.info("clients")["blocked_clients"])
            (tmp_path / "crl.pem").write_bytes(revocation)
            wait_for_all(door)
        finally:
            journal.execute_command("CLIENT UNPAUSE")
        answers = exchange(connection, b"")
        assert answers.count(b"HTTP/1.1 200") == 1
        assert answers.count(b"HTTP/1.1") == 1
        assert len(equipment.journaled()) == 1


def test_files_rotate_behind_nginx(
    equipment: Equipment,
    authority: Issued,
    revocation: bytes,
    certificates: CertificateFiles,
    engines_folder: Path,
    tmp_path: Path,
) -> None:
    """Behind nginx the door follows CA bundle and CRL by itself; no push on a new connection is refused meanwhile."""
    equipment.configure(("[sealing]", "[door]\nproxy = true\n\n[sealing]"))
    bind = engines_folder / "rotation.sock"
    refused = 0
    with (
        run_door(equipment.environment, tmp_path / "log", workers=2, bind=f"unix:{bind}") as door,
        run_nginx(
            Files(*(tmp_path / name for name in ("server.pem", "server.key", "ca.pem"))), bind, tmp_path / "nginx"
        ) as nginx,
    ):
        sender = replace(equipment.ethoca(door), port=nginx.port)
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
        (tmp_path / "crl.pem").write_bytes(revocation)
        wait_for(lambda: {sender.push().status for _ in range(5)} == {403})


def test_quiet_door_judges_its_first_push_by_the_files_as_they_are(equipment: Equipment, tmp_path: Path) -> None:
    """However long nobody pushes after a password was replaced, the first push is not judged by the old one."""
    password = equipment.file.parent / "secrets" / "ethoca_password"
    with run_door(equipment.environment, tmp_path / "log") as door:
        old = equipment.ethoca(door)
        assert old.push().status == 200
        write_slowly(password, b"another password\n")
        time.sleep(1.5)
        assert old.push().status == 401
        write_slowly(password, b"a third password\n")
        time.sleep(1.5)
        assert replace(old, headers=basic("ethoca", "a third password")).push().status == 200


def test_password_may_be_written_after_the_configuration_that_names_it(equipment: Equipment, tmp_path: Path) -> None:
    """A configuration that names a file which is not there yet is taken over as soon as it is."""
    late = tmp_path / "late_password"
    with run_door(equipment.environment, tmp_path / "log") as door:
        new = replace(equipment.ethoca(door), headers=basic("ethoca", "a late password"))
        second = f'[[sources.credentials]]\nscheme = "basic"\nuser = "ethoca"\npassword = {{file = "{late}"}}\n\n'
        equipment.configure(('[[sources]]\nname = "reseller"', second + '[[sources]]\nname = "reseller"'))
        time.sleep(1.0)
        assert new.push().status == 401
        wait_for_events(door, "configuration not renewed", 1)
        late.write_text("a late password\n")
        wait_for(lambda: new.push().status == 200)


def test_worker_that_is_replaced_begins_with_the_files_as_they_are(
    equipment: Equipment, revocation: bytes, tmp_path: Path
) -> None:
    """A worker process that is started long after the master knows the revocations since then from its first moment."""
    with run_door(equipment.environment, tmp_path / "log") as door:
        (first,) = workers_of(door)
        (tmp_path / "crl.pem").write_bytes(revocation)
        wait_for_all(door)
        os.kill(first, signal.SIGKILL)
        answers: set[str] = set()
        until = time.monotonic() + 3
        while time.monotonic() < until:
            try:
                answers.add(str(equipment.ethoca(door).push().status))
            except (OSError, http.client.HTTPException):
                answers.add("refused")
    assert answers == {"refused"}
    assert len([line for line in door.written() if line["event"] == "worker ready"]) == 2


def test_revocation_list_with_a_name_that_is_no_text(equipment: Equipment, revocation: bytes, tmp_path: Path) -> None:
    """Neither a worker ends for it nor is its successor kept from serving; the next list that can be read counts."""
    crl = tmp_path / "crl.pem"
    with run_door(equipment.environment, tmp_path / "log") as door:
        crl.write_bytes(spoil_list(crl.read_bytes(), "alert-intake development"))
        wait_for_events(door, "certificates not renewed", 2)  # by the worker and by the master
        os.kill(workers_of(door)[0], signal.SIGKILL)
        wait_for(lambda: door.ready() == 2)
        assert equipment.ethoca(door).push().status == 200
        crl.write_bytes(revocation)
        wait_for(lambda: workers_of(door)[1] in processes_that_said(door, "certificates renewed"))
        assert door.ready() == 2


def test_files_of_nginx_rotate_by_its_reload(
    equipment: Equipment, authority: Issued, certificates: CertificateFiles, engines_folder: Path, tmp_path: Path
) -> None:
    """Nginx serves the old certificate and knows the old authorities until it is told; no push is refused for that.

    A kept connection ends when it is idle, as kept connections do at any time: its sender comes anew.
    """
    equipment.configure(("[sealing]", "[door]\nproxy = true\n\n[sealing]"))
    bind = engines_folder / "reload.sock"
    files = Files(tmp_path / "server.pem", tmp_path / "server.key", tmp_path / "ca.pem")
    successor = make_authority("CN=next authority,O=alert-intake development")
    next_client = write_pair(tmp_path, "next-client", issue_certificate(successor, CLIENT_SUBJECT, side="client"))
    renewed = issue_certificate(authority, "CN=localhost", side="server", hosts=LOOPBACK)
    with (
        run_door(equipment.environment, tmp_path / "log", workers=2, bind=f"unix:{bind}") as door,
        run_nginx(files, bind, tmp_path / "nginx") as nginx,
        traffic(replace(equipment.ethoca(door), port=nginx.port), keeping=0) as load,
    ):
        first = served_by(nginx)
        write_slowly(files.key, renewed.key_pem())
        write_slowly(files.certificate, renewed.certificate_pem())
        load.wait_for_more(50)
        assert served_by(nginx) == first != renewed.certificate_pem().decode()
        nginx.reload()
        wait_for(lambda: served_by(nginx) == renewed.certificate_pem().decode())
        load.wait_for_more(50)

        write_slowly(tmp_path / "crl.pem", make_crl(authority) + make_crl(successor))
        write_slowly(files.client_ca, certificates.ca.read_bytes() + successor.certificate_pem())
        follower = replace(load.sender, pair=next_client)
        load.wait_for_more(50)
        assert follower.push().status == 403  # by nginx
        nginx.reload()
        wait_for(lambda: {follower.push().status for _ in range(10)} == {200})
        load.sender = follower
        load.wait_for_followers()
        write_slowly(files.client_ca, successor.certificate_pem())
        nginx.reload()
        load.wait_for_more(50)
        assert replace(follower, pair=certificates.client).push().status == 403


def served_by(nginx: Nginx) -> str:
    """Return the certificate that whoever connects is shown, as PEM."""
    return ssl.get_server_certificate(("127.0.0.1", nginx.port))
