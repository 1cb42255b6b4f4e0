"""All the checks, in the order in which one would mend what they find."""

import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from console.diagnosis.check import Check
from console.diagnosis.configured import check_certificates, check_secrets
from console.diagnosis.door import check_door
from console.diagnosis.enrichers import check_enrichers
from console.diagnosis.servers import check_database, check_redis
from schemas.settings.configuration import load_configuration
from schemas.settings.journal import Journal
from schemas.settings.secret import ConfigurationError

if TYPE_CHECKING:
    from schemas.settings.sources import Source


def examine(pending_migrations: Callable[[str], list[str]]) -> Iterator[Check]:
    """Yield every check, in the order in which one would mend them. A server that does not answer is a check, too."""
    settings = Journal()
    sources: tuple[Source, ...] = ()
    try:
        configuration = load_configuration()
        settings, sources = configuration.journal, configuration.sources
        yield Check("configuration", True, f"{len(configuration.sources)} sources")
        yield from check_secrets(configuration)
        yield from check_certificates(configuration.tls, configuration.door.front)
        yield from check_enrichers(configuration.enrichment)
    except ConfigurationError as error:
        yield Check("configuration", False, str(error))
    yield from check_redis(settings)
    yield from check_database(pending_migrations)
    yield from check_door(os.environ.get("PLATFORM_URL"), sources)
