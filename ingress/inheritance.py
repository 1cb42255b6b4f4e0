"""What worker processes inherit from gunicorn's master: what the door began with, and what was good last.

The master reads the configuration before it forks, and follows the files as each worker does. So whichever worker takes
another's place, and whatever the files hold at that moment, it pairs no new source with an old listener, lets nobody in
again who was shut out meanwhile, and need not give up over half a file.
"""

from dataclasses import dataclass
from functools import cache

from ingress.admissions import Admissions
from ingress.settings import Settings
from ingress.trust.proxy import ProxiedCertificates


@dataclass(frozen=True, slots=True)
class Inheritance:
    """The settings that the door began with, who may push now, and the proxy that hands certificates over, if any."""

    settings: Settings
    admissions: Admissions
    proxied: ProxiedCertificates | None

    def follow_files(self) -> None:
        """Take over files that have changed. Those that cannot be used leave all as it was."""
        self.admissions.follow_files()
        if self.proxied is not None:
            self.proxied.follow_files()


@cache
def inherit() -> Inheritance:
    """Return the one that all processes of the door have. First called before gunicorn forks.

    Raises ConfigurationError.
    """
    admissions = Admissions()
    settings = admissions.began
    front = settings.configuration.door.front
    proxied = None if front is None else ProxiedCertificates(front, settings.configuration.tls)
    return Inheritance(settings, admissions, proxied)
