"""`alert-intake doctor`: look at everything the pipeline stands on."""

import click

from console.diagnosis.examine import examine
from console.report import print_json, print_table, reporting
from deploy.migrations import pending_migrations


@click.command()
@reporting
@click.pass_context
def doctor(ctx: click.Context, as_json: bool) -> None:
    """Check configuration, secrets, certificates, Redis's durability, Postgres and clocks.

    Exit status 1 when anything is not well; each such line says what to do.
    """
    checks = list(examine(pending_migrations))
    well = all(check.well for check in checks)
    if as_json:
        found = [{"name": check.name, "well": check.well, "found": check.found} for check in checks]
        print_json({"well": well, "checks": found})
    else:
        print_table(
            ("check", "", "found"), ((check.name, "ok" if check.well else "NOT", check.found) for check in checks)
        )
        click.echo("All is well." if well else "Not all is well; see above.")
    if not well:
        ctx.exit(1)
