"""The example configurations can be used as they stand, and the full one names every setting there is."""

import re
from pathlib import Path

import msgspec
import pytest

from schemas.settings.configuration import Configuration, load_configuration
from schemas.settings.enrichers import Lookup, Plugin, RemoteEnrichment
from schemas.settings.section import Section
from schemas.settings.sources import Acknowledgement, Basic, Header, Source

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
FULL = DEPLOY / "alert-intake.example.toml"


@pytest.mark.parametrize("example", sorted(DEPLOY.glob("*.example.toml")), ids=lambda path: path.name)
def test_example_is_a_valid_configuration(example: Path) -> None:
    """Each example file is read without an error."""
    assert load_configuration(str(example)).sources


@pytest.mark.parametrize(
    "struct",
    [
        Configuration,
        Source,
        Acknowledgement,
        Basic,
        Header,
        Plugin,
        Lookup,
        RemoteEnrichment,
        *Section.__subclasses__(),
    ],
    ids=lambda s: s.__name__,
)
def test_full_example_names_every_setting(struct: type[msgspec.Struct]) -> None:
    """Nothing that can be set is missing from alert-intake.example.toml, be it as a comment."""
    text = FULL.read_text(encoding="utf-8")
    names = [field.encode_name for field in msgspec.structs.fields(struct)]
    written = re.compile(r"^(?:# )?(?:\[\[?(?:\w+\.)?)?(\w+)(?:\]\]?| =)", re.MULTILINE).findall(text)
    assert [name for name in names if name not in written] == []


def test_full_example_gives_the_defaults() -> None:
    """What stands in alert-intake.example.toml is the default, except where its comment says otherwise."""
    configuration = load_configuration(str(FULL))
    said = {("Door", "proxy")}
    differing = {
        (type(section).__name__, field.encode_name)
        for section in (getattr(configuration, field.name) for field in msgspec.structs.fields(Configuration))
        if isinstance(section, Section)
        for field in msgspec.structs.fields(type(section))
        if field.default is not msgspec.NODEFAULT and getattr(section, field.name) != field.default
    }
    assert differing == said


def test_ethoca_example_pins_the_published_sandbox_subject() -> None:
    """The public CAs of Ethoca certify others too: the example admits one subject, and demands a certificate."""
    (source,) = load_configuration(str(DEPLOY / "ethoca.example.toml")).sources
    assert source.certificate == "required"
    (subject,) = source.subjects
    assert subject.startswith("CN=mtf.alertscustomer.ethocaclient.apigw.azure.mastercard.com,")
    assert subject.endswith("L=O'Fallon,ST=Missouri,C=US")
