"""Addresses that requests may go to: public ones, and the networks that the configuration allows. Pure.

What a name resolves to is the receiver's choice, and could be the address of a database, a router or a cloud's metadata
service. So it is a list of what is public that decides, not one of what is private.
"""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

from schemas.settings.forwarding import Forwarding

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")  # RFC 4291, 2.4: all that is assigned of it
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address
# Set aside by the registries (IANA special-purpose addresses), which not every Python knows to be no public ones.
SET_ASIDE: tuple[Network, ...] = (
    ipaddress.IPv4Network("192.0.0.0/24"),
    ipaddress.IPv6Network("2001::/23"),
    ipaddress.IPv6Network("3fff::/20"),
)
# A metadata service at an address that looks public (Azure's WireServer). The others are link-local or private.
METADATA = frozenset({ipaddress.IPv4Address("168.63.129.16")})


@dataclass(frozen=True, slots=True)
class Reach:
    """Where deliveries may go. `everywhere`: no address is refused."""

    everywhere: bool = False
    networks: tuple[Network, ...] = ()

    @classmethod
    def read(cls, settings: Forwarding) -> "Reach":
        """Read the settings."""
        return cls(settings.allow_private_addresses, read_networks(settings.allow_networks))

    def admits(self, text: str) -> bool:
        """Say whether a delivery may go to this numeric address."""
        if self.everywhere:
            return True
        address = plain_address(text)
        return is_public(address) or any(address in network for network in self.networks)


def read_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Read networks such as 10.20.0.0/16. Raises ValueError."""
    return tuple(ipaddress.ip_network(text) for text in texts)


def plain_address(text: str) -> Address:
    """Read a numeric address without its zone; one that stands for an IPv4 address becomes that."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def is_public(address: Address) -> bool:
    """Say whether an address, as `plain_address` reads it, belongs to the public internet."""
    if address in METADATA or address.is_multicast or not address.is_global:
        return False
    if any(address in network for network in SET_ASIDE):
        return False
    return isinstance(address, ipaddress.IPv4Address) or address in GLOBAL_UNICAST
