"""The one step that makes a push durable: an envelope in, a journal entry's id out, fsynced."""

import threading

from ingress.pressure import Pressure
from schemas.configuration import Journal
from schemas.envelope import Envelope, seal_envelope
from schemas.journal import JournalUnavailable, append_entry, connect_journal
from schemas.keyring import Keyring

CONCURRENT_APPENDS = 64


class Enqueuer:
    """The journal as one worker process sees it. Make it after the fork: it owns connections.

    Appends beyond CONCURRENT_APPENDS wait for their turn, so a crowd of senders never becomes a crowd of connections.
    """

    def __init__(self, url: str, settings: Journal, keyring: Keyring) -> None:
        self._client = connect_journal(url, settings.timeout)
        self._settings = settings
        self._keyring = keyring
        self._pressure = Pressure(self._client, settings)
        self._turns = threading.BoundedSemaphore(CONCURRENT_APPENDS)

    def enqueue(self, envelope: Envelope) -> str:
        """Seal and append the envelope and return its entry's id. Raises JournalUnavailable: then promise nothing."""
        if not self._turns.acquire(timeout=self._settings.timeout):
            raise JournalUnavailable("too many pushes wait for the journal")
        try:
            self._pressure.require_room()
            return append_entry(self._client, self._settings, seal_envelope(envelope, self._keyring))
        finally:
            self._turns.release()
