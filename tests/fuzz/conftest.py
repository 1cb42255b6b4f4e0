"""How long each test goes on: all of them together as long as FUZZ_SECONDS says."""

import os
import time
from collections.abc import Callable

import pytest

FUZZ_SECONDS = float(os.environ.get("FUZZ_SECONDS") or 30)
# Pushing costs more than parsing, and finds more.
SHARES = {"test_http.py": 3.0, "test_parsers.py": 1.0}


@pytest.fixture
def go_on(request: pytest.FixtureRequest) -> Callable[[Callable[[], None]], None]:
    """Return what repeats a property, with new examples each time, until the test's share of the time is over."""
    tests = [item for item in request.session.items if item.path.name in SHARES]
    share = SHARES[request.node.path.name] / sum(SHARES[item.path.name] for item in tests)
    deadline = time.monotonic() + FUZZ_SECONDS * share

    def repeat(examine: Callable[[], None]) -> None:
        while time.monotonic() < deadline:
            examine()

    return repeat
