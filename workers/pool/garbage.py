"""Garbage: cycles of objects are looked for less often than Python does by itself.

A batch is tens of thousands of objects that all live until it is stored. To look through the youngest at every 700th,
and now and then through all that was ever loaded, is a tenth of what a drain costs, and finds nothing.
"""

import gc

OBJECTS = 50_000  # made and not yet gone, until cycles among them are looked for
OLDER = (20, 100)  # how often that is until older ones are looked through, and until all are


def collect_seldom(**_signal: object) -> None:
    """Set it so, for this process and those it forks. Connected to Celery's `worker_init`."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(OBJECTS, *OLDER)
