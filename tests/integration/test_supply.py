"""Entries that come in numbers are gathered for a moment; one that comes alone waits for nothing."""

import time
from collections.abc import Iterator
from dataclasses import replace
from threading import Timer
from uuid import uuid4

import msgspec
import pytest

from schemas.journal.append import append_entry, connect_journal
from schemas.journal.envelope import Envelope, seal_envelope
from workers.database.connections import connect_database, connect_stream
from workers.intake.consume import Consumer
from workers.intake.incarnation import open_journal
from workers.intake.supply import MANY, MOST, Supply
from workers.settings import Workshop

GATHER = 2.0


@pytest.fixture
def patient(workshop: Workshop) -> Workshop:
    """Return a workshop that gathers for a time that a test can tell from none."""
    drain = msgspec.structs.replace(workshop.configuration.drain, gather=GATHER)
    return replace(workshop, configuration=msgspec.structs.replace(workshop.configuration, drain=drain))


@pytest.fixture
def supply(patient: Workshop) -> Iterator[Supply]:
    """Return the supply of one drain."""
    configuration, stream = patient.configuration, patient.configuration.journal.stream
    with connect_stream(patient.journal_url) as client, connect_database(patient.database_url, "drain") as database:
        life = open_journal(client, database, stream)
        with Supply(patient, Consumer(client, stream, life.incarnation, "drain@test/0", configuration.drain)) as supply:
            yield supply


def push(workshop: Workshop, entries: int) -> None:
    """Append so many entries."""
    with connect_journal(workshop.journal_url, 5.0) as client:
        for _ in range(entries):
            sealed = seal_envelope(Envelope("ethoca", b"{}", uuid4().hex), workshop.keyring)
            append_entry(client, workshop.configuration.journal, sealed)


def test_entries_that_come_in_numbers_are_gathered(patient: Workshop, supply: Supply) -> None:
    """After a batch of several the next one waits: what comes a little later goes with it."""
    push(patient, MOST)
    assert len(supply.next_batch(5.0).entries) == MOST
    push(patient, 1)
    later = Timer(GATHER / 3, push, (patient, 2))
    later.start()
    assert len(supply.next_batch(5.0).entries) == 3
    later.join()


def test_more_entries_are_gathered_for_longer(patient: Workshop, supply: Supply) -> None:
    """After a batch of not so many the next one waits for a part of the time only."""
    push(patient, MANY)
    assert len(supply.next_batch(5.0).entries) == MANY
    began = time.monotonic()
    push(patient, 1)
    assert len(supply.next_batch(5.0).entries) == 1
    assert 0.9 * GATHER * (MANY / MOST) ** 2 <= time.monotonic() - began < GATHER


def test_entry_that_comes_alone_is_not_waited_with(patient: Workshop, supply: Supply) -> None:
    """After a batch of few the next one is taken at once, and so is one when the time of the drain is over."""
    push(patient, MANY - 1)
    assert len(supply.next_batch(5.0).entries) == MANY - 1
    push(patient, MANY)
    began = time.monotonic()
    assert len(supply.next_batch(5.0).entries) == MANY
    push(patient, 1)
    assert len(supply.next_batch(0.01).entries) == 1
    assert time.monotonic() - began < GATHER
