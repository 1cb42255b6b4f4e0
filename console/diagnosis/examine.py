"""All the checks, in the order in which one would mend what they find."""

from collections.abc import Callable, Iterator

from console.diagnosis.check import Check
from console.diagnosis.configured import check_certificates, check_secrets
from console.diagnosis.enrichers import check_enrichers
from console.diagnosis.servers import check_database, check_redis
from schemas.configuration import Journal, load_configuration
from schemas.secret import ConfigurationError


def examine(pending_migrations: Callable[[str], list[str]]) -> Iterator[Check]:
    """Yield every check, in the order in which one would mend them. A server that does not answer is a check, too."""
    settings = Journal()
    try:
        configuration = load_configuration()
        settings = configuration.journal
        yield Check("configuration", True, f"{len(configuration.sources)} sources")
        yield from check_secrets(configuration)
        yield from check_certificates(configuration.tls)
        yield from check_enrichers(configuration.enrichment)
    except ConfigurationError as error:
        yield Check("configuration", False, str(error))
    yield from check_redis(settings)
    yield from check_database(pending_migrations)
