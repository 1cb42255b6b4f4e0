"""Where deliveries may go."""

import pytest

from schemas.settings.forwarding import Forwarding
from workers.outgoing.addresses import Reach

PUBLIC = Reach.read(Forwarding())


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",  # noqa: S104 - an address to refuse
        "10.0.0.1",
        "100.64.0.1",
        "100.100.100.200",
        "127.0.0.1",
        "127.8.8.8",
        "168.63.129.16",
        "169.254.169.254",
        "172.16.0.1",
        "192.0.0.192",
        "192.168.1.1",
        "198.18.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::127.0.0.1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::10.0.0.1",
        "2002:7f00:1::",
        "2002:a9fe:a9fe::1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "2001:db8::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
    ],
)
def test_what_is_not_public_is_refused(address: str) -> None:
    """Private, loopback, link-local, shared, multicast and metadata addresses are refused, however they are written."""
    assert not PUBLIC.admits(address)


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "93.184.215.14", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::1.1.1.1", "2002:101:101::1"]
)
def test_what_is_public_is_admitted(address: str) -> None:
    """Public addresses are delivered to."""
    assert PUBLIC.admits(address)


def test_allowed_networks_are_admitted_and_no_others() -> None:
    """A network of the configuration is delivered to, also when its addresses come mapped into IPv6."""
    reach = Reach.read(Forwarding(allow_networks=("10.20.0.0/16", "fd12::/16")))
    assert all(reach.admits(address) for address in ("10.20.3.4", "::ffff:10.20.3.4", "fd12::1", "1.1.1.1"))
    assert not any(reach.admits(address) for address in ("10.21.0.1", "fd13::1", "127.0.0.1"))


def test_everything_may_be_allowed() -> None:
    """`allow_private_addresses` admits every address."""
    assert Reach.read(Forwarding(allow_private_addresses=True)).admits("127.0.0.1")


@pytest.mark.parametrize(
    "wrong",
    [{"allow_networks": ("10.0.0.1/8",)}, {"allow_networks": ("inside",)}, {"timeout": 0}, {"schedule": (-1.0,)}],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    """A network with host bits, a name or a time that cannot be stops the start."""
    with pytest.raises(ValueError, match=r"\S"):
        Forwarding(**wrong)  # type: ignore[arg-type]  # wrong on purpose
