"""Clock: deliveries are signed with the database's time, which all workers share.

A receiver refuses a signature whose time is minutes off its own, and that refusal is final. So a worker that is alone
with a wrong clock must not sign by it: all that it delivers would be given up.
"""

import time
from datetime import UTC, datetime

from workers.database.connections import Database


class SharedClock:
    """This machine's clock, corrected by the database's. `offset`: how many seconds that is ahead."""

    offset: float = 0.0

    def set_by(self, database: Database) -> None:
        """Ask the database for its time. The answer is right to half of the time that it takes."""
        asked = time.time()
        row = database.execute("SELECT extract(epoch FROM clock_timestamp())::float8 AS now").fetchone()
        if row is not None:
            self.offset = row["now"] - (asked + time.time()) / 2

    def now(self) -> datetime:
        """Return the time."""
        return datetime.fromtimestamp(time.time() + self.offset, UTC)
