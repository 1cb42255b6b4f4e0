"""Every row of the door's table in the interface, over real TLS and a real journal."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.gunicorn import Process, run_door, wait_for
from tests.integration.door import ETHOCA_BODY, Answer, Equipment, Sender, basic

SAMPLES = Path(__file__).resolve().parents[2] / "deploy" / "embedded" / "samples"


@pytest.fixture
def door(door: Process, equipment: Equipment) -> Process:
    """Return the door, its journal empty."""
    equipment.empty_journal()
    return door


@pytest.fixture
def ethoca(door: Process, equipment: Equipment) -> Sender:
    """Return the sender that the source `ethoca` expects."""
    return equipment.ethoca(door)


@pytest.fixture
def reseller(door: Process, equipment: Equipment) -> Sender:
    """Return the sender that the source `reseller` expects."""
    return equipment.reseller(door)


def assert_refused(answer: Answer, status: int, code: str) -> None:
    """Check an error: its status, its envelope, its request id."""
    assert answer.status == status, answer.text
    assert answer.headers["Content-Type"] == "application/json"
    assert len(answer.headers["X-Request-Id"]) == 32
    assert set(answer.fault) <= {"Source", "ReasonCode", "Description", "Recoverable", "Details"}
    assert answer.fault["ReasonCode"] == code
    assert isinstance(answer.fault["Recoverable"], bool)
    assert len(answer.fault["Source"]) <= 100
    assert 0 < len(answer.fault["Description"]) <= 1000


def test_push_is_acknowledged_once_it_is_in_the_journal(door: Process, ethoca: Sender, equipment: Equipment) -> None:
    """An acknowledged push lies in the journal as it came, and one log line names request and entry."""
    answer = ethoca.push(headers={"X-Request-Id": "chosen-by-the-sender"})
    assert answer.status == 200, answer.text
    assert answer.json == {"alertId": "A4IM9K2MIYL9F2BPF9TWUIXTU", "status": "success"}
    ((entry_id, envelope),) = equipment.journaled().items()
    assert (envelope.source, envelope.body) == ("ethoca", ETHOCA_BODY)
    assert envelope.request_id == answer.headers["X-Request-Id"] != "chosen-by-the-sender"
    line = door.line(envelope.request_id)
    assert (line["event"], line["entry_id"], line["source"], line["status"]) == (
        "acknowledged",
        entry_id,
        "ethoca",
        200,
    )
    assert len(line["certificate"]) == 16
    assert "A4IM9K2MIYL9F2BPF9TWUIXTU" not in door.output.read_text()


def test_second_path_of_a_source(ethoca: Sender, equipment: Equipment) -> None:
    """A source answers at its further paths as it does at its own."""
    assert ethoca.push("/api/push/alerts").status == 200
    (envelope,) = equipment.journaled().values()
    assert envelope.source == "ethoca"


def test_chunked_body(ethoca: Sender, equipment: Equipment) -> None:
    """A body without a declared length is taken as well."""
    answer = ethoca.push(body=iter([ETHOCA_BODY[:20], ETHOCA_BODY[20:]]))
    assert answer.status == 200, answer.text
    (envelope,) = equipment.journaled().values()
    assert envelope.body == ETHOCA_BODY


def test_list_is_answered_item_by_item(ethoca: Sender) -> None:
    """In a list each alert is answered for itself, and the whole is no success unless all are."""
    body = b'[{"alertId": "one"}, {"other": 1}, {"EthocaID": 12345678901234567890123}]'
    answer = ethoca.push(body=body)
    assert answer.status == 200
    assert answer.json == {
        "status": "failed",
        "alerts": [
            {"alertId": "one", "status": "success"},
            {"alertId": None, "status": "failed"},
            {"alertId": "12345678901234567890123", "status": "success"},
        ],
    }
    whole = ethoca.push(body=b'{"alerts": [{"alertId": "one"}, {"alert_id": "two"}]}')
    assert whole.json == {
        "status": "success",
        "alerts": [{"alertId": "one", "status": "success"}, {"alertId": "two", "status": "success"}],
    }


def test_reseller_needs_no_certificate(reseller: Sender, equipment: Equipment) -> None:
    """The reseller goes by its header, either of the two."""
    body = b'{"event": "alert.created", "payload": {"id": "x", "providerId": "P1"}}'
    by_key = reseller.push("/push/reseller", body)
    assert (by_key.status, by_key.json) == (200, {"alertId": "P1", "status": "success"})
    by_password = replace(reseller, headers=basic("reseller", equipment.secrets.reseller_password))
    assert by_password.push("/push/reseller", body).status == 200


def test_named_repair_is_the_sources_own(reseller: Sender, ethoca: Sender, equipment: Equipment) -> None:
    """A bare UUID value is repaired for the reseller, refused for others, and journaled untouched for both."""
    body = b'{"payload": {"companyId": d2599442-95fa-49bf-a0a2-086362ef2283, "providerId": "P2"}}'
    repaired = reseller.push("/push/reseller", body)
    assert (repaired.status, repaired.json["alertId"]) == (200, "P2")
    assert_refused(ethoca.push(body=body), 400, "VALIDATION_FAILURE")
    assert [envelope.body for envelope in equipment.journaled().values()] == [body, body]


BAD_BODIES = [
    b"", b" ", b"null", b"7", b'"text"', b"{}", b"[]", b"{", b"\xff\xfe{}", b'{"alertId": }', b"NaN",
    b"[" * 10_000 + b"]" * 10_000, b'{"alerts": []}', b'{"alertType": "x"}', b'{"alertId": ""}', b'{"alertId": null}',
    b'{"alertId": 1.5}', b'{"alertId": true}', b'{"alertId": "\\u0000"}', b'{"alertId": "\\ud800"}',
    b'{"alertId": "' + b"x" * 256 + b'"}', b'{"alertId": ["A"]}',
]  # fmt: skip


def test_bad_bodies_are_refused_and_kept(door: Process, ethoca: Sender, equipment: Equipment) -> None:
    """What is no alert is answered with 400, never a success, and lies in the journal for the workers to reject."""
    connection = ethoca.connect()
    for body in BAD_BODIES:
        answer = ethoca.push(body=body, connection=connection)
        assert_refused(answer, 400, "VALIDATION_FAILURE")
        assert door.line(answer.headers["X-Request-Id"])["event"] == "rejected"
    connection.close()
    assert [envelope.body for envelope in equipment.journaled().values()] == BAD_BODIES


def test_list_without_any_usable_id(ethoca: Sender, equipment: Equipment) -> None:
    """A list in which nothing is usable is refused with one error for each item, and kept."""
    answer = ethoca.push(body=b'[{"a": 1}, 7, null]')
    assert answer.status == 400
    assert [error["Details"] for error in answer.json["Errors"]["Error"]] == ["item 0", "item 1", "item 2"]
    assert len(equipment.journaled()) == 1


def test_certificate_missing_or_not_listed(door: Process, ethoca: Sender, equipment: Equipment) -> None:
    """A source that demands a certificate answers 403 without one, and for one that is trusted but not its own."""
    for pair in (None, equipment.certificates.unlisted):
        answer = replace(ethoca, pair=pair).push()
        assert_refused(answer, 403, "ACCESS_DENIED")
        assert door.line(answer.headers["X-Request-Id"])["event"] == "refused"
    assert equipment.journaled() == {}


def test_proxy_headers_are_not_believed(ethoca: Sender, equipment: Equipment) -> None:
    """Without a configured proxy the header with a certificate in it means nothing."""
    pem = equipment.certificates.client.certificate.read_text().replace("\n", "%0A")
    headers = {"X-Client-Cert": pem, "X-SSL-Client-Verify": "SUCCESS", "X-Client-Address": "203.0.113.9"}
    assert_refused(replace(ethoca, pair=None).push(headers=headers), 403, "ACCESS_DENIED")


def test_header_missing_or_wrong(ethoca: Sender, reseller: Sender, equipment: Equipment) -> None:
    """Missing and wrong credentials are 401 with a challenge, also those of another source."""
    wrong: list[dict[str, str | None]] = [
        {"Authorization": None},
        {"Authorization": "Basic %%%"},
        {"Authorization": "Bearer " + equipment.secrets.ethoca_password},
        {"Authorization": None, "X-API-Key": equipment.secrets.ethoca_password},
        {**basic("ethoca", equipment.secrets.ethoca_password + "x")},
        {**basic("ethoca", "")},
        {**basic("reseller", equipment.secrets.reseller_password)},
    ]
    for headers in wrong:
        answer = ethoca.push(headers=headers)
        assert_refused(answer, 401, "AUTHENTICATION_FAILURE")
        assert answer.headers["WWW-Authenticate"] == 'Basic realm="alert-intake", charset="UTF-8"'
    assert_refused(reseller.push("/push/reseller", headers={"X-API-Key": "wrong"}), 401, "AUTHENTICATION_FAILURE")


def test_failed_authentications_are_limited(equipment: Equipment, tmp_path: Path) -> None:
    """From the limit on a wrong password is 429 with Retry-After; the right one passes all the same."""
    with run_door(equipment.environment, tmp_path) as door:
        sender = equipment.ethoca(door)
        connection = sender.connect()
        wrong = basic("ethoca", "wrong")
        answers = [sender.push(headers=wrong, connection=connection).status for _ in range(61)]
        assert answers == [401] * 60 + [429]
        limited = sender.push(headers=wrong, connection=connection)
        assert_refused(limited, 429, "TOO_MANY_FAILED_AUTHENTICATIONS")
        assert 1 <= int(limited.headers["Retry-After"]) <= 61
        assert sender.push(connection=connection).status == 200
        connection.close()


def test_unknown_path_method_and_type(ethoca: Sender) -> None:
    """An unknown source is 404, another method 405 with Allow, another content type 415."""
    for path in ("/push/unknown", "/", "/push/ethoca/", "/push/Ethoca"):
        assert_refused(ethoca.push(path), 404, "NOT_FOUND")
    for method in ("GET", "PUT", "DELETE", "OPTIONS", "PATCH"):
        answer = ethoca.push(method=method, body=None)
        assert_refused(answer, 405, "METHOD_NOT_ALLOWED")
        assert answer.headers["Allow"] == "POST"
    head = ethoca.push(method="HEAD", body=None)
    assert (head.status, head.headers["Allow"], head.text) == (405, "POST", "")
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/jsonp", "json", "", "text/json"):
        assert_refused(ethoca.push(headers={"Content-Type": kind}), 415, "UNSUPPORTED_MEDIA_TYPE")
    assert_refused(ethoca.push(headers={"Content-Encoding": "gzip"}), 415, "UNSUPPORTED_MEDIA_TYPE")
    for kind in ("application/json; charset=utf-8", "Application/JSON", "application/problem+json"):
        assert ethoca.push(headers={"Content-Type": kind, "Content-Encoding": "identity"}).status == 200


def test_body_over_the_limit(ethoca: Sender, equipment: Equipment) -> None:
    """A body of the limit is taken, one byte more is 413, whether its length was declared or not."""
    limit = 1024 * 1024
    largest = b'{"alertId": "A", "fill": "'.ljust(limit - 2, b"x") + b'"}'
    assert len(largest) == limit
    assert ethoca.push(body=largest).status == 200
    assert_refused(ethoca.push(body=largest + b" "), 413, "PAYLOAD_TOO_LARGE")
    chunks = iter([largest, b" ", b" " * 1000])
    assert_refused(ethoca.push(body=chunks), 413, "PAYLOAD_TOO_LARGE")
    assert len(equipment.journaled()) == 1


def test_cut_body_is_not_kept(ethoca: Sender, door: Process, equipment: Equipment) -> None:
    """A body that ends before its declared length is no push: its sender knows that it failed."""
    already = len(door.lines())
    connection = ethoca.connect()
    connection.putrequest("POST", "/push/ethoca")
    for name, value in (*ethoca.headers.items(), ("Content-Type", "application/json"), ("Content-Length", "500")):
        connection.putheader(name, value)
    connection.endheaders(ETHOCA_BODY)
    connection.close()
    (line,) = wait_for(lambda: door.lines()[already:])
    assert (line["event"], line["why"]) == ("refused", "INCOMPLETE_BODY")
    assert equipment.journaled() == {}


def test_samples_are_acknowledged(ethoca: Sender, reseller: Sender) -> None:
    """The bundled samples pass, also the one that is documented with a bare UUID."""
    files = sorted(SAMPLES.iterdir())
    assert files
    for file in files:
        sender, path = (ethoca, "/push/ethoca") if "ethoca" in file.name else (reseller, "/push/reseller")
        answer = sender.push(path, file.read_bytes())
        assert (answer.status, answer.json["status"]) == (200, "success"), file.name
