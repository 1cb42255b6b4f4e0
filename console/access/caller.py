"""A caller: who shows a token, and what it may do."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

Role = Literal["read", "operate"]

# Weakest first. Each may do all that the ones before it may.
ROLES: tuple[Role, ...] = get_args(Role)
# Methods that change nothing (RFC 9110, 9.2.1).
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. `name` is the token's, and the actor of whatever the caller changes."""

    name: str
    role: Role
    expires_at: datetime | None = None

    def may(self, role: Role) -> bool:
        """Tell whether the caller's role includes another."""
        return ROLES.index(self.role) >= ROLES.index(role)


def role_needed(method: str) -> Role:
    """Return the role for a method of HTTP: to look is `read`, everything else is `operate`."""
    return "read" if method in SAFE_METHODS else "operate"
