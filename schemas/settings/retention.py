"""The settings of retention: how long what is kept beside the alerts is kept."""

from typing import Annotated

from msgspec import Meta

from schemas.settings.section import Section

Days = Annotated[int, Meta(ge=1)]


class Retention(Section, frozen=True):
    """How many days partitions are kept, counted from the end of their month.

    `raw_bodies` is also for closed rejections, `attempts` for delivered outbox items and for events.
    """

    raw_bodies: Days = 180
    receipts: Days = 400
    revisions: Days = 400
    attempts: Days = 90
