"""The chains by which connections are trusted, from the handshake on.

OpenSSL builds and verifies a chain at a handshake, and of the revocation lists asks only for the leaf's: with its flag
for all of the chain an authority without a list would refuse everybody. So the authorities between are looked up here.
A session that is resumed comes without its chain. It is remembered, as long as the session's ticket is good: for one
context (ingress/listener/rotation.py), and so for one state of the files.
"""

from cryptography import x509

from ingress.listener.tls import TlsSocket
from ingress.trust.files import Trust
from ingress.trust.handed import Handed
from ingress.trust.verify import legible, require_none_revoked_between, require_not_revoked, verify_certificate

REMEMBER_AT_MOST = 1024  # of a few kB each; the one that was not used for longest is forgotten

Chain = tuple[bytes, ...]


class Chains:
    """The chains that were verified in one context, by their leaves."""

    def __init__(self, trust: Trust) -> None:
        self._trust = trust
        self._known: dict[bytes, Chain] = {}

    def note(self, connection: TlsSocket) -> None:
        """Note after its handshake how a connection is trusted. Raises Distrusted."""
        leaf = connection.getpeercert(True)
        if not leaf:
            return
        chain, known = connection.verified_chain(), self._known.get(leaf, ())
        if not chain and not known and self._trust.revocations is not None:
            verify_certificate(Handed(x509.load_der_x509_certificate(leaf)), self._trust)  # forgotten: by itself only
        if chain and chain != known:
            require_none_revoked_between(read_chain(chain), self._trust)
        connection.chain = chain or known
        if connection.chain:
            self._known.pop(leaf, None)
            self._known[leaf] = connection.chain
        if len(self._known) > REMEMBER_AT_MOST:
            del self._known[next(iter(self._known))]


def require_still_trusted(connection: TlsSocket, trust: Trust) -> None:
    """Raise Distrusted when a connection is not trusted under new files of trust.

    Its chain was verified already. While an authority of it is trusted, only the lists can say something new.
    """
    leaf = connection.getpeercert(True)
    if not leaf:
        return
    with legible():
        handed = read_chain(connection.chain or (leaf,))
        anchors = [place for place, one in enumerate((handed.leaf, *handed.intermediates)) if one in trust.authorities]
        if anchors:
            require_not_revoked(Handed(handed.leaf, handed.intermediates[: anchors[0]]), trust)
        else:
            verify_certificate(Handed(handed.leaf, (*handed.intermediates, *connection.presented())), trust)


def read_chain(chain: Chain) -> Handed:
    """Read a chain that begins with its leaf."""
    leaf, *above = (x509.load_der_x509_certificate(one) for one in chain)
    return Handed(leaf, tuple(above))
