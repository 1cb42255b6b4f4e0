"""Take the screenshots of the documentation: `make screenshots`. A stack of its own, with made-up alerts.

The hour that the plots show is made up, too; everything else on the pictures is what the stack did.
"""

import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import psycopg

from tests.e2e.bodies import dispute, fresh_id, legacy_fraud, webhook
from tests.e2e.browser import run_browser, sit_down
from tests.e2e.running import ROOT, Stack
from tests.e2e.sender import Sender
from tests.e2e.window import find_alert, get, settled, wait_for

IMAGES = ROOT / "docs" / "images"
SHOPS = ("NORTHWIND BOOKS", "HARBOR COFFEE CO", "ALPINE OUTDOOR", "TINY TOYS", "SUNSET RECORDS")
BANKS = ("FIRST EXAMPLE BANK", "BANCO EJEMPLO", "BEISPIELBANK AG")
HOUR = """
    INSERT INTO samples (at, incarnation, added, entries, oldest, stored, rejected, delivered, failed, seconds)
    SELECT date_bin('5 seconds', now(), 'epoch') - make_interval(secs => 5 * (720 - n)),
           (SELECT incarnation FROM journals ORDER BY last_seen_at DESC LIMIT 1),
           grown + (SELECT sum(entries) FROM totals), (5 + 90 * burst + 6 * random())::integer,
           0.02 + 1.4 * burst, grown * 4 / 5 + (SELECT sum(stored) FROM totals), (SELECT sum(rejected) FROM totals),
           (rate * 0.8)::integer, CASE WHEN n BETWEEN 430 AND 452 THEN 3 ELSE 0 END, 5
    FROM (SELECT *, sum(rate) OVER (ORDER BY n) - sum(rate) OVER () AS grown
          FROM (SELECT n, exp(-1 * (((n - 470) / 35.0) ^ 2)) AS burst,
                       (100 + 40 * sin(n / 90.0) + 20 * random()
                        + 300 * exp(-1 * (((n - 460) / 40.0) ^ 2)))::integer AS rate
                FROM generate_series(1, 719) n) rates) made
    ON CONFLICT DO NOTHING
"""


def main() -> None:
    """Run a stack, push, and take each picture."""
    with tempfile.TemporaryDirectory(prefix="alert-intake-pictures-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        stack = Stack(folder / "var", folder / "output")
        try:
            stack.start("--no-samples")
            alert = push_example_day(stack.facts)
            with kept_busy(stack.facts):
                take_pictures(stack.facts, alert)
        finally:
            if stack.process is not None:
                stack.stop()


def push_example_day(facts: dict[str, str]) -> str:
    """Push alerts of the last day, updates, and what is rejected; return the id of the one whose story is shown."""
    chance, now = Random(7), datetime.now(UTC)
    ethoca, reseller = Sender(facts), Sender(facts, "reseller", certificate=False)
    for number in range(40):
        hours = 23.2 * (1 - number / 40) ** 2 + chance.random() * 0.4
        ethoca.push(make_example(chance, now - timedelta(hours=hours)))
    shown = fresh_id()
    at = (now - timedelta(hours=21.4)).isoformat(timespec="milliseconds")
    told = {"merchantDescriptor": SHOPS[1], "transactionTimestamp": (now - timedelta(days=3)).isoformat()}
    ethoca.push(dispute(shown, alertTimestamp=at, issuer=BANKS[0], cardLast4="7204", **told))
    ethoca.push(dispute(shown, alertTimestamp=at, issuer=BANKS[0], cardLast4="7204", **told))
    ethoca.push(legacy_fraud(fresh_id(), ARN="75186056123456789012345", AlertTimestamp=at[:23]))
    reseller.push(webhook(shown, "alert.created", now.isoformat(), status="PROCESSING", merchantOrderId="ORDER-10442"))
    ethoca.push({"alertType": "CUSTOMERDISPUTE", "issuer": BANKS[1], "cardNumber": "4111111111111111",
                 "amount": {"value": 61.5, "currencyCode": "EUR"}, "merchantDescriptor": SHOPS[3]})  # fmt: skip
    settled(facts)
    found = wait_for(lambda: find_alert(facts, shown), lambda alert: alert is not None and alert["revision"] > 1)
    assert found is not None
    with psycopg.connect(facts["DATABASE_URL"]) as database:
        database.execute("DELETE FROM samples")
        database.execute(HOUR.encode())
    return str(found["id"])


def make_example(chance: Random, at: datetime) -> dict[str, Any]:
    """Return an alert as it might be."""
    return dispute(
        fresh_id(), alertTimestamp=at.isoformat(timespec="milliseconds"), issuer=chance.choice(BANKS),
        merchantDescriptor=chance.choice(SHOPS), cardLast4=f"{chance.randrange(10000):04d}",
        arn=f"7518605612345678{chance.randrange(10**7):07d}",
        amount={"value": round(chance.uniform(9, 420), 2), "currencyCode": chance.choice(["USD", "EUR", "GBP"])},
        alertType=chance.choice(["CUSTOMERDISPUTE", "CONFIRMEDFRAUD"]),
    )  # fmt: skip


@contextmanager
def kept_busy(facts: dict[str, str]) -> Iterator[None]:
    """Push about twenty alerts a second until the block ends."""
    stop, chance, sender = threading.Event(), Random(11), Sender(facts)

    def push() -> None:
        while not stop.wait(0.05):
            sender.push(make_example(chance, datetime.now(UTC)))

    thread = threading.Thread(target=push)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def take_pictures(facts: dict[str, str], alert: str) -> None:
    """Write the pictures: each page as it is seen at a desk, two of them dark, one on a phone."""
    IMAGES.mkdir(exist_ok=True)
    rejection = get(facts, "/v1/rejections", state="open")["data"][0]["id"]
    desk, phone = {"width": 1180, "height": 760}, {"width": 390, "height": 800}
    pictures = [
        ("overview", "/", "light", desk), ("overview-dark", "/", "dark", desk), ("alerts", SOONEST, "light", desk),
        ("alert", f"/alerts/{alert}", "light", desk), ("rejection", f"/rejections/{rejection}", "dark", desk),
        ("subscriptions", "/subscriptions", "light", desk), ("phone", SOONEST, "light", phone),
    ]  # fmt: skip
    with run_browser() as browser:
        for name, path, scheme, size in pictures:
            with sit_down(browser, facts, color_scheme=scheme, viewport=size) as operator:
                page = operator.sign_in(facts["CONSOLE_TOKEN"])
                operator.open(path)
                if path == "/":
                    page.get_by_text("In balance").wait_for()
                    time.sleep(16)  # until there are samples of the present
                page.screenshot(path=IMAGES / f"{name}.png")


SOONEST = "/alerts?sort=soonest&status=unanswered"

if __name__ == "__main__":
    main()
