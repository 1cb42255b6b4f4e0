"""The one step that makes a push durable: an envelope in, a journal entry's id out, fsynced."""

from collections.abc import Sequence

from ingress.commit import GroupCommit, Outcome
from ingress.pressure import Pressure
from schemas.configuration import Journal
from schemas.envelope import Envelope, Fields, seal_envelope
from schemas.journal import append_entries, connect_journal
from schemas.keyring import Keyring


class Enqueuer:
    """The journal as one worker process sees it. Make it after the fork: it owns connections.

    A crowd of senders never becomes a crowd of connections: pushes that wait together are appended together.
    """

    def __init__(self, url: str, settings: Journal, keyring: Keyring) -> None:
        self._client = connect_journal(url, settings.timeout)
        self._settings = settings
        self._keyring = keyring
        self._pressure = Pressure(self._client, settings)
        self._commits = GroupCommit(self._append, settings.timeout)

    def enqueue(self, envelope: Envelope) -> str:
        """Seal and append the envelope and return its entry's id. Raises JournalUnavailable: then promise nothing."""
        return self._commits.append(seal_envelope(envelope, self._keyring))

    def _append(self, batch: Sequence[Fields]) -> Sequence[Outcome]:
        self._pressure.require_room()
        return append_entries(self._client, self._settings, batch)
