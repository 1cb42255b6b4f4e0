"""The one step that makes a push durable: an envelope in, a journal entry's id out, fsynced."""

from collections.abc import Sequence

from ingress.journal.commit import GroupCommit
from ingress.journal.pressure import Pressure
from schemas.journal.append import Outcome, Writer, connect_journal
from schemas.journal.envelope import Envelope, Fields, seal_envelope
from schemas.keyring import Keyring
from schemas.settings.journal import Journal


class Enqueuer:
    """The journal as one worker process sees it. Make it after the fork: it owns connections.

    A crowd of senders never becomes a crowd of connections: pushes that wait together are appended together.
    """

    def __init__(self, url: str, settings: Journal, keyring: Keyring) -> None:
        client = connect_journal(url, settings.timeout)
        self._keyring = keyring
        self._pressure = Pressure(client, settings)
        self._writer = Writer(client, settings)
        self._commits = GroupCommit(self._append, settings.timeout)

    def enqueue(self, envelope: Envelope) -> str:
        """Seal and append the envelope and return its entry's id. Raises JournalUnavailable: then promise nothing."""
        return self._commits.append(seal_envelope(envelope, self._keyring))

    def _append(self, batch: Sequence[Fields]) -> Sequence[Outcome]:
        """Append when there is room. Where room was asked for anew, the primary may be another one by now."""
        if self._pressure.require_room():
            self._writer.renew()
        return self._writer.append(batch)
