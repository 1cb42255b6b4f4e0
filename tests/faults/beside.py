"""Databases of its own, in the servers of the first stack, for a second one."""

from urllib.parse import urlsplit

from tests.faults.site import Site


def make_databases(site: Site, name: str, number: int) -> dict[str, str]:
    """Make a database of that name; return the addresses of it, and of a journal and a broker of that number."""
    with site.database() as database:
        database.execute(f"CREATE DATABASE {name}".encode())
    servers = {"JOURNAL_URL": site.run["JOURNAL_URL"], "BROKER_URL": site.broker.url}
    addresses = {server: urlsplit(url)._replace(path=f"/{number}").geturl() for server, url in servers.items()}
    return addresses | {"DATABASE_URL": urlsplit(site.run["DATABASE_URL"])._replace(path=f"/{name}").geturl()}
