"""A sender knows who it is by the body, and whether it was acknowledged by the answer."""

import pytest

from console.sender import Answer, authenticate, guess_source


@pytest.mark.parametrize(
    ("body", "source"),
    [
        (b'{"alertId": "A1"}', "ethoca"),
        (b'[{"EthocaID": "A1"}]', "ethoca"),
        (b'{"event": "alert.created", "payload": {"providerId": "A1"}}', "reseller"),
        (b'{"payload" : {"companyId": 86a0adfd-2f0b-4b71-a1b5-b1b2b7d5c1f0}}', "reseller"),
        (b"", "ethoca"),
    ],
)
def test_source_is_guessed_by_the_shape_of_the_body(body: bytes, source: str) -> None:
    """Also where the body is no valid JSON, as the reseller's own example."""
    assert guess_source(body) == source


@pytest.mark.parametrize(
    ("status", "body", "acknowledged"),
    [
        (200, {"alertId": "A1", "status": "success"}, True),
        (200, {"status": "success", "alerts": [{"alertId": "A1", "status": "success"}]}, True),
        (200, {"status": "failed", "alerts": [{"status": "success"}, {"status": "failed"}]}, False),
        (200, {"status": "SUCCESS", "alerts": [{"status": "FAILURE"}]}, False),
        (200, "<html>", False),
        (202, {"status": "success"}, False),
        (400, {"Errors": {"Error": []}}, False),
    ],
)
def test_a_push_is_acknowledged_only_as_a_whole(status: int, body: object, acknowledged: bool) -> None:
    """One failed item of a list, another status or a body that is no acknowledgement is none."""
    assert Answer(status, body, None, 1.0).acknowledged is acknowledged


def test_each_source_has_its_own_header() -> None:
    """Basic is preferred, a key goes into X-API-Key, and without either the certificate speaks alone."""
    settings = {"ETHOCA_BASIC": "ethoca:pass", "RESELLER_API_KEY": "key"}
    assert authenticate("ethoca", settings) == {"Authorization": "Basic ZXRob2NhOnBhc3M="}
    assert authenticate("reseller", settings) == {"X-API-Key": "key"}
    assert authenticate("other", settings) == {}
