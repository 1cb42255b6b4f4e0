"""Sessions whose client is gone without a word: PostgreSQL keeps for them what they hold.

A transaction that idles ends by `idle_in_transaction_session_timeout`, a statement by `statement_timeout`. But in the
midst of COPY the server waits for the next row, or for its answer to be taken, and looks at neither (PostgreSQL,
`ProcessClientReadInterrupt`): behind a proxy that lost its other side for ever, with its locks.
"""

import structlog

from workers.database.connections import STATEMENT_SECONDS, Database

log = structlog.get_logger()


def end_abandoned(database: Database, seconds: float = STATEMENT_SECONDS) -> int:
    """End sessions of ours that have waited for their client for so long, and return how many there were.

    A client that comes back to such a session finds its transaction undone, as by the timeouts, and repeats it.
    """
    ended = [row["pid"] for row in database.execute(END_ABANDONED, [seconds]) if row["ended"]]
    if ended:
        log.warning("abandoned_sessions_ended", sessions=len(ended), pids=ended)
    return len(ended)


END_ABANDONED = """
    SELECT pid, pg_terminate_backend(pid) AS ended FROM pg_stat_activity
    WHERE datname = current_database() AND usename = current_user AND application_name LIKE 'alert-intake %%'
      AND xact_start IS NOT NULL AND wait_event IN ('ClientRead', 'ClientWrite')
      AND state_change < now() - make_interval(secs => %s) AND pid <> pg_backend_pid()
"""
