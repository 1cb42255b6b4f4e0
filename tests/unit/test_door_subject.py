"""Subjects of certificates, as people write them and as certificates carry them."""

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from ingress.identity.subject import attributes_of, read_name, same_name

SANDBOX = x509.Name(
    [
        x509.NameAttribute(NameOID.COUNTRY_NAME, "US"),
        x509.NameAttribute(NameOID.STATE_OR_PROVINCE_NAME, "Missouri"),
        x509.NameAttribute(NameOID.LOCALITY_NAME, "O'Fallon"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "MasterCard International Incorporated"),
        x509.NameAttribute(NameOID.COMMON_NAME, "mtf.alertscustomer.ethocaclient.apigw.azure.mastercard.com"),
    ]
)
HOST = "mtf.alertscustomer.ethocaclient.apigw.azure.mastercard.com"


@pytest.mark.parametrize(
    "text",
    [
        f"CN={HOST}, O=MasterCard International Incorporated, L=O'Fallon, ST=Missouri, C=US",
        f"C=US,ST=Missouri,L=O'Fallon,O=MasterCard International Incorporated,CN={HOST}",
        f"C = US, ST = Missouri, L = O'Fallon, O = MasterCard International Incorporated, CN = {HOST}",
        f"/C=US/ST=Missouri/L=O'Fallon/O=MasterCard International Incorporated/CN={HOST}",
        f"cn={HOST.upper()}; o=mastercard  international incorporated; l=O'FALLON; s=missouri; c=us",
        f'2.5.4.3={HOST}+O="MasterCard International Incorporated",L=O\\27Fallon,OID.2.5.4.8=Missouri,C=US',
        f"CN={HOST}",
    ],
)
def test_name_is_known_however_it_is_written(text: str) -> None:
    """One subject in the forms of RFC 4514, OpenSSL, Windows and letters."""
    assert same_name(read_name(text), attributes_of(SANDBOX))


@pytest.mark.parametrize(
    "text",
    [
        f"CN={HOST}.evil.example",
        "CN=mastercard.com",
        "O=MasterCard International Incorporated",
        f"CN={HOST},C=US",
        f"CN={HOST},O=MasterCard International Incorporated,L=O'Fallon,ST=Missouri,C=GB",
        f"CN={HOST},O=MasterCard International Incorporated,L=O'Fallon,ST=Missouri,C=US,OU=x",
        f"O={HOST}",
    ],
)
def test_other_names_do_not_fit(text: str) -> None:
    """A part of the subject, more than it, or another value is another name. Only CN may stand alone."""
    assert not same_name(read_name(text), attributes_of(SANDBOX))


def test_common_name_alone_wants_exactly_one() -> None:
    """A subject with two common names does not pass for either of them."""
    two = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a"), x509.NameAttribute(NameOID.COMMON_NAME, "b")])
    assert not same_name(read_name("CN=a"), attributes_of(two))
    assert same_name(read_name("CN=b,CN=a"), attributes_of(two))


@pytest.mark.parametrize("text", ["", "CN", "CN=", "CN=a,", "XY=a", "=a", "CN=a,,C=US", "/"])
def test_what_is_no_name(text: str) -> None:
    """A text that is no distinguished name is refused, not compared."""
    with pytest.raises(ValueError, match=r"attribute"):
        read_name(text)


VALUES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20).filter(
    lambda value: value.strip() == value and value.split() == value.split(" ")
)


@given(common=VALUES, organisation=VALUES)
def test_rfc_4514_text_of_a_name_leads_back_to_it(common: str, organisation: str) -> None:
    """What `cryptography` writes for a name is read as that name, whatever characters are in it."""
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )
    assert read_name(name.rfc4514_string()) == attributes_of(name)
