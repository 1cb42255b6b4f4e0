"""The settings of forwarding: how long, how often, and where deliveries may go."""

from ipaddress import ip_network

from schemas.settings.section import Section


class Forwarding(Section, frozen=True):
    """Deliveries to downstream services. Times in seconds.

    `timeout` is for one delivery as a whole, from the look-up of the name to the end of the answer; the look-up counts,
    but ends only when the system's resolver ends it. `concurrency` is of one worker, `subscription_concurrency` of one
    subscription over all workers.
    `schedule` is the waiting time before the second, third, ... attempt, each lengthened by up to `jitter` of itself.
    After the last one the item is given up (and can be retried by hand).
    A subscription is tripped after `trip_failures` failures in a row over at least `trip_seconds`; or, since one that
    is sent little does not come to so many, after three in a row over at least `trip_quiet_seconds`. Then one delivery
    is tried every `probe_interval`, and the first that succeeds resumes it.
    `service_ca` names a PEM file with CAs that are trusted besides the public ones.
    """

    timeout: float = 10.0
    lease: float = 60.0
    concurrency: int = 64
    subscription_concurrency: int = 32
    jitter: float = 0.2
    schedule: tuple[float, ...] = (5, 30, 120, 600, 1800, 3600, 7200, 14400, 28800, 43200, 64800, 86400)
    allow_http: bool = False
    allow_private_addresses: bool = False
    allow_networks: tuple[str, ...] = ()
    service_ca: str | None = None
    trip_failures: int = 20
    trip_seconds: float = 600.0
    trip_quiet_seconds: float = 3600.0
    probe_interval: float = 60.0

    def __post_init__(self) -> None:
        """Refuse what would forward nothing, or for ever."""
        positive = ("timeout", "lease", "concurrency", "subscription_concurrency", "trip_failures", "probe_interval")
        for name in positive:
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}: more than 0 is needed")
        not_negative = (self.jitter, self.trip_seconds, self.trip_quiet_seconds, *self.schedule)
        if not all(value >= 0 for value in not_negative):
            raise ValueError("jitter, trip_seconds, trip_quiet_seconds, schedule: 0 or more is needed")
        for network in self.allow_networks:
            ip_network(network)  # raises ValueError that quotes it
