"""Whether the door takes pushes: a process of it runs, and a push would be acknowledged."""

from pathlib import Path
from typing import Any

import redis

from ingress.journal.readiness import describe_readiness
from schemas.settings.journal import Journal
from schemas.telemetry.counting import someone_counts

NOBODY = "no process of the door runs: start it, or see in its log why it ended"


def describe_door(client: redis.Redis, settings: Journal, folder: Path | None) -> dict[str, Any]:
    """Ask the journal as `describe_readiness` does, and look whether a process of the door counts in the folder.

    Without a folder (PROMETHEUS_MULTIPROC_DIR) nobody knows of the door's processes, and the journal alone decides.
    """
    found = describe_readiness(client, settings)
    if folder is None or someone_counts(folder):
        return found
    return found | {"ready": False, "why": [NOBODY, *found["why"]]}
