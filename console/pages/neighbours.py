"""The parts that the pages show nothing of and that everything needs: the door, and the broker that makes ticks."""

import os
from dataclasses import dataclass
from typing import Literal

import redis
import requests

from console.connections import open_redis
from console.unreachable import Unreachable
from schemas.settings.secret import ConfigurationError

SECONDS = 3.0

Door = Literal["ready", "refuses", "silent"]


@dataclass(frozen=True, slots=True)
class Neighbours:
    """How they stand; None where the environment does not say where they are.

    door    what its platform listener says (PLATFORM_URL); silent: that does not answer
    broker  whether it answers (BROKER_URL)
    """

    door: Door | None = None
    broker: bool | None = None


def ask_neighbours() -> Neighbours:
    """Ask both."""
    return Neighbours(ask_door(os.environ.get("PLATFORM_URL", "")), ask_broker())


def ask_door(platform_url: str) -> Door | None:
    """Ask the door's platform listener whether pushes would be acknowledged."""
    if not platform_url:
        return None
    with requests.Session() as session:
        session.trust_env = False
        try:
            answer = session.get(f"{platform_url.rstrip('/')}/readyz", timeout=SECONDS)
        except requests.RequestException:
            return "silent"
    return "ready" if answer.ok else "refuses"


def ask_broker() -> bool | None:
    """Say whether the broker answers."""
    if not os.environ.get("BROKER_URL"):
        return None
    try:
        with open_redis("BROKER_URL") as broker:
            return bool(broker.ping())
    except (Unreachable, ConfigurationError, redis.RedisError):
        return False
