"""What is wrong with those that are asked for everything else: the servers, the door and the broker. Pure."""

from collections.abc import Iterator

from console.pages.standing import Standing
from console.pages.trouble import Trouble

NO_DOOR = "Senders find nobody, or are refused. Start it, or see in its log why it ended; `/readyz` says more."
SILENT_DOOR = "Whether the door takes pushes is not known. Start that listener, or mend PLATFORM_URL."
NO_BROKER = "Pushes are still kept, in the journal; nothing is stored or delivered. See to the Redis of BROKER_URL."


def check_servers(standing: Standing) -> Iterator[Trouble]:
    """Yield what is wrong with the journal and the database."""
    if standing.stream is None:
        yield Trouble(
            "bad",
            "The journal does not answer.",
            "The door refuses every push until it does; senders come again. See to the Redis of JOURNAL_URL.",
            "alert-intake doctor",
        )
    elif standing.stream["full"]:
        reached = ", ".join(standing.stream["full"])
        yield Trouble(
            "bad",
            f"The journal is full ({reached}): the door refuses pushes.",
            "It takes them again once drains have made room. Start more drain workers.",
            "celery -A workers.app worker -Q drain -P prefork -c 4",
        )
    if standing.present is None:
        yield Trouble(
            "bad",
            "The database does not answer.",
            "Pushes are still kept, in the journal; nothing is stored or delivered. See to the server of DATABASE_URL.",
            "alert-intake doctor",
        )


def check_neighbours(standing: Standing) -> Iterator[Trouble]:
    """Yield what is wrong with the door and the broker. A door without its journal is no second trouble."""
    neighbours = standing.neighbours
    if neighbours.door == "refuses" and standing.stream is not None and not standing.stream["full"]:
        yield Trouble("bad", "The door takes no pushes.", NO_DOOR, "alert-intake doctor")
    if neighbours.door == "silent":
        yield Trouble("bad", "The door's platform listener does not answer.", SILENT_DOOR, "alert-intake doctor")
    if neighbours.broker is False:
        yield Trouble("bad", "The broker does not answer: no worker is told to work.", NO_BROKER, "alert-intake doctor")
