"""What reads strangers' bytes in the door: each says that it cannot, in its own way, and never anything else."""

import base64
import gzip
import json
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deploy.embedded.certificates import issue_certificate, make_authority
from deploy.embedded.revocations import make_crl
from ingress.acknowledge import Refused, answer_push
from ingress.body import unpack
from ingress.identity.certificate import Distrusted, read_certificate
from ingress.identity.header import read_basic
from ingress.identity.subject import read_name, same_name
from ingress.ids import look_at_ids
from ingress.limits.peers import network_of
from ingress.trust.files import Trust, load_trust
from ingress.trust.handed import Handed, read_escaped_pem, read_structured
from ingress.trust.proxy import read_address
from ingress.trust.verify import require_not_revoked, verify_certificate
from schemas.formats.document import NotAnAlert, read_document
from schemas.settings.certificates import MALFORMED
from schemas.settings.secret import ConfigurationError
from schemas.settings.sources import Source
from tests.authorities import make_hierarchy

GoOn = Callable[[Callable[[], None]], None]
MANY = settings(max_examples=500, deadline=None, database=None, suppress_health_check=list(HealthCheck))
LIMIT = 100_000
SOURCES = (
    Source(name="a", format="ethoca", subjects=("CN=x",)),
    Source(name="b", format="reseller", subjects=("CN=x",), repair="bare-uuid"),
)
KEYS = st.sampled_from(["alertId", "EthocaID", "alerts", "payload", "providerId", "id", "event"]) | st.text(max_size=6)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
TEXTS = st.text(st.characters(codec="latin-1"), max_size=200)


def spoil(good: bytes) -> st.SearchStrategy[bytes]:
    """Return bytes of which a few are others."""
    changes = st.lists(st.tuples(st.integers(0, len(good)), st.binary(max_size=3)), max_size=4)

    def apply(chosen: list[tuple[int, bytes]]) -> bytes:
        spoilt = good
        for place, piece in chosen:
            spoilt = spoilt[:place] + piece + spoilt[place + 1 :]
        return spoilt

    return changes.map(apply)


def test_bodies(go_on: GoOn) -> None:
    """The look at the ids never raises, and what it finds usable the workers can read."""
    good = (
        b'{"alerts": [{"alertId": "A", "n": 1.5e9, "u": d2599442-95fa-49bf-a0a2-086362ef2283}], "payload": {"id": 7}}'
    )

    @MANY
    @given(st.binary(max_size=300) | spoil(good) | VALUES.map(write_json), st.sampled_from(SOURCES))
    def examine(body: bytes, source: Source) -> None:
        look = look_at_ids(body, source)
        status = answer_push(look, source).status
        assert status == (200 if any(look.ids) else 400)
        try:
            read_document(body, source)
        except NotAnAlert:
            assert not any(look.ids)

    go_on(examine)


def write_json(value: object) -> bytes:
    """Write JSON as lax senders do: NaN and lone surrogates included."""
    return json.dumps(value).encode("utf-8", "surrogatepass")


def test_packed_bodies(go_on: GoOn) -> None:
    """A packed body is unpacked up to the limit or refused."""

    @MANY
    @given(st.binary(max_size=300) | spoil(gzip.compress(b"x" * 5000)) | spoil(zlib.compress(b"x")))
    def examine(body: bytes) -> None:
        with suppress(Refused):
            assert len(unpack(body, LIMIT)) <= LIMIT

    go_on(examine)


# A spoilt serial number or key may be one that cryptography reads with a word of warning; that is not what is sought.
@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
def test_certificates(go_on: GoOn) -> None:
    """A certificate in a header is read and verified, or found malformed or not to be trusted."""
    authority = make_authority()
    trust = Trust((authority.certificate,), None)
    issued = issue_certificate(authority, "CN=x,O=y", side="client", hosts=["x.example"])
    der = issued.certificate.public_bytes(Encoding.DER)

    @MANY
    @given(TEXTS, spoil(der), spoil(issued.certificate_pem()))
    def examine(text: str, spoilt: bytes, pem: bytes) -> None:
        for read, argument in (
            (read_escaped_pem, text), (read_escaped_pem, pem.decode("latin-1")), (read_structured, text),
        ):  # fmt: skip
            with suppress(*MALFORMED):
                read(argument, "")
        with suppress(*MALFORMED):
            read_structured(":AAAA:", text)
        with suppress(*MALFORMED, Distrusted):
            verify_certificate(read_structured(f":{base64.b64encode(spoilt).decode()}:"), trust)
        with suppress(ValueError):
            read_certificate(spoilt)

    go_on(examine)


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
def test_files_of_trust(go_on: GoOn, tmp_path: Path) -> None:
    """Authorities and revocation lists can be used or are refused as they are read; then certificates are judged."""
    made = make_hierarchy()
    bundle, crl = tmp_path / "bundle.pem", tmp_path / "lists.pem"
    root, *below = (one.certificate.public_bytes(Encoding.DER) for one in (made.root, made.between, made.client))
    lists = tuple(
        x509.load_pem_x509_crl(make_crl(one, [made.between.certificate])) for one in (made.root, made.between)
    )
    of_root, of_between = (one.public_bytes(Encoding.DER) for one in lists)

    @MANY
    @given(*(st.just(good) | spoil(good) for good in (root, of_root, of_between, *below)))
    def examine(anchor: bytes, first: bytes, second: bytes, between: bytes, leaf: bytes) -> None:
        bundle.write_bytes(write_pem("CERTIFICATE", anchor))
        crl.write_bytes(write_pem("X509 CRL", first) + write_pem("X509 CRL", second))
        trust = Trust((made.root.certificate,), lists)
        with suppress(ConfigurationError):
            trust = load_trust(str(bundle), str(crl))
        handed = Handed(made.client.certificate, (made.between.certificate,))
        with suppress(*MALFORMED):
            handed = Handed(x509.load_der_x509_certificate(leaf), (x509.load_der_x509_certificate(between),))
        with suppress(Distrusted):
            verify_certificate(handed, trust)
        with suppress(Distrusted):
            require_not_revoked(handed, trust)

    go_on(examine)


def write_pem(kind: str, der: bytes) -> bytes:
    """Write bytes as PEM, whatever they are."""
    text = base64.encodebytes(der).decode()
    return f"-----BEGIN {kind}-----\n{text}-----END {kind}-----\n".encode()


def test_names_addresses_headers(go_on: GoOn) -> None:
    """Names of subjects, addresses, credentials: read, or refused in their own way."""

    @MANY
    @given(TEXTS, st.text(max_size=60))
    def examine(text: str, name: str) -> None:
        with suppress(ValueError):
            found = read_name(name)
            assert same_name(found, found)
        assert isinstance(read_basic(text.encode("latin-1")), bytes)
        read_address(text)
        network_of(text)

    go_on(examine)
