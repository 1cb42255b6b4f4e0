"""Consumers of the journal's group that are gone for good: each process has a name of its own, each pod new ones.

XGROUP DELCONSUMER drops what its consumer has in hand, and nobody would ever be given that. So whether it has anything
is looked at in the script that deletes it, at one moment.
"""

from typing import cast

import redis

from schemas.journal.append import GROUP

SILENT_SECONDS = 86_400.0  # a drain asks every second


def forget_consumers(client: redis.Redis, stream: str, seconds: float = SILENT_SECONDS) -> int:
    """Delete consumers that have nothing in hand and have asked for nothing so long. Return how many there were.

    Raises redis.RedisError.
    """
    return int(cast("int", client.eval(FORGET, 1, stream, GROUP, str(int(seconds * 1000)))))


FORGET = """
    local consumers = redis.pcall('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])
    if consumers.err then return 0 end -- no drain has made the group yet
    local forgotten = 0
    for _, facts in ipairs(consumers) do
        local consumer = {}
        for place = 1, #facts, 2 do consumer[facts[place]] = facts[place + 1] end
        if consumer.pending == 0 and consumer.idle >= tonumber(ARGV[2]) then
            redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], consumer.name)
            forgotten = forgotten + 1
        end
    end
    return forgotten
"""
