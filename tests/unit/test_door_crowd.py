"""Who makes room when too many are connected."""

import socket

from ingress.listener.crowd import Crowd
from schemas.settings.door import Door, Proxy


def pairs(count: int) -> list[tuple[socket.socket, socket.socket]]:
    """Return connections: our end and theirs."""
    return [socket.socketpair() for _ in range(count)]


def ended(connection: socket.socket) -> bool:
    """Say whether the other side has ended a connection."""
    connection.settimeout(0.05)
    try:
        return connection.recv(1) == b""
    except TimeoutError:
        return False


def test_oldest_stranger_makes_room() -> None:
    """Beyond the limit the oldest stranger goes, and nobody who has pushed."""
    crowd, guests = Crowd(Door(), most=3), pairs(6)
    for number, (own, _) in enumerate(guests[:3]):
        assert crowd.admit(f"192.0.2.{number}", number, own)
    crowd.prove(0)
    for number, (own, _) in enumerate(guests[3:5], start=3):
        assert crowd.admit(f"192.0.2.{number}", number, own)
    assert [ended(theirs) for _, theirs in guests[:5]] == [False, True, True, False, False]
    for number in (1, 2, 3):
        crowd.leave(f"192.0.2.{number}", number)
    assert crowd.admit("192.0.2.5", 5, guests[5][0])
    assert [ended(theirs) for _, theirs in (guests[0], guests[4], guests[5])] == [False, False, False]
    for pair in guests:
        for end in pair:
            end.close()


def test_share_of_an_address() -> None:
    """An address has its share, a host of IPv6 counts as one, and the proxy in front has no limit."""
    door = Door(connections_per_address=2, proxy=Proxy(header="rfc9440", networks=("10.0.0.0/24",)))
    crowd = Crowd(door, most=100)
    own, theirs = socket.socketpair()
    assert [crowd.admit("192.0.2.1", number, own) for number in range(3)] == [True, True, False]
    assert [crowd.admit(f"2001:db8::{number}", number + 10, own) for number in range(3)] == [True, True, False]
    assert all(crowd.admit("10.0.0.7", number + 20, own) for number in range(5))
    crowd.leave("192.0.2.1", 0)
    assert crowd.admit("::ffff:192.0.2.1", 30, own)
    own.close()
    theirs.close()


def test_all_but_one_have_pushed() -> None:
    """A stranger who is the only one may stay: he may be somebody who is about to push."""
    crowd, guests = Crowd(Door(), most=1), pairs(2)
    for number, (own, _) in enumerate(guests):
        crowd.admit("192.0.2.1", number, own)
        crowd.prove(number)
    assert [ended(theirs) for _, theirs in guests] == [False, False]
    for pair in guests:
        for end in pair:
            end.close()
