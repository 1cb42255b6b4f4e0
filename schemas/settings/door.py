"""The settings of the door: its limits, and which proxy, if any, hands client certificates over."""

from ipaddress import ip_network
from typing import Annotated, Literal

from msgspec import Meta, field

from schemas.settings.section import Section

Rate = Annotated[float, Meta(gt=0)]


class Proxy(Section, frozen=True):
    """What ends TLS in front of the door, and where it connects from.

    header    how it hands the client certificate over: "nginx" (`X-Client-Cert`, URL-escaped PEM), "rfc9440"
              (`Client-Cert` and `Client-Cert-Chain`), or "alb" (an AWS load balancer in verify mode)
    networks  the addresses it connects from; none: over the unix socket alone. Whoever can connect from them is
              believed to have been shown the certificates that he hands over, so nobody else may
    """

    header: Literal["nginx", "rfc9440", "alb"] = "nginx"
    networks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what is no network, and a network that is everybody's."""
        for network in self.networks:
            if ip_network(network).prefixlen == 0:  # raises ValueError that quotes it
                raise ValueError(f"networks: {network} holds everybody, so anybody could forge certificates")


class Door(Section, frozen=True):
    """Limits of the public listener. Times in seconds, sizes in bytes.

    `pushes_per_second` is over all sources, on the average of ten seconds; a source may have its own.
    `proxy = true` is an nginx that connects over the unix socket.
    """

    max_body: int = 1024 * 1024
    compressed_bodies: bool = False
    handshake_timeout: float = 5.0
    connections_per_address: int = 256
    failed_authentications_per_minute: int = 60
    pushes_per_second: Rate | None = None
    proxy: bool | Proxy = field(default=False)

    @property
    def front(self) -> Proxy | None:
        """The proxy in front, None when there is none."""
        if isinstance(self.proxy, Proxy):
            return self.proxy
        return Proxy() if self.proxy else None
