"""The settings of notices (`intake.*`): when something is told about the intake itself. See docs/subscriptions.md."""

from schemas.settings.section import Section

DAY = 86_400.0


class Notices(Section, frozen=True):
    """When something is told. `expiring_before`: seconds before `respond_by` at which an open alert is told of."""

    expiring_before: float = 4 * 3600.0

    def __post_init__(self) -> None:
        """Refuse what would tell of nothing, or of everything."""
        if not 0 < self.expiring_before <= 30 * DAY:
            raise ValueError("expiring_before: more than 0, 30 days (2592000) at most")
