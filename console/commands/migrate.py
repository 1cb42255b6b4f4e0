"""`alert-intake migrate`: bring the database to the newest schema."""

import click

from console.connections import check_database_url, translate_database_errors
from console.report import print_json, reporting
from deploy.migrations import apply_migrations
from schemas.settings.configuration import require_address


@click.command()
@reporting
def migrate(as_json: bool) -> None:
    """Create or update the tables in the database. Several at once wait for each other."""
    url = check_database_url(require_address("DATABASE_URL"))
    with translate_database_errors():
        applied = apply_migrations(url)
    if as_json:
        print_json({"applied": applied})
    else:
        click.echo("\n".join(f"applied {name}" for name in applied) or "The database is up to date.")
