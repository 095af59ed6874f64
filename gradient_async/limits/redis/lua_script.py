"""The Lua script that decides, inside Redis, whether requests of a shared budget may be sent.

Contract: the script is atomic and uses the time of the Redis server, in microseconds. It is the only access to the
keys, and every key expires by itself. `messages` builds its argument and parses its reply.

One key per budget. A budget is one sorted set, so that it is lost as a whole or not at all. The score says what a
member is, here with a span of 60 s at the time 1000 s::

    score          member           meaning
    -1020.5        pause            register: nobody sends before 1020.5
    -37            seq:4f1a         register: the last exchange of process 4f1a was number 37
    -112           served:4f1a      register: it was granted 112 permits
    -AMOUNT - 900  tokens:9c20:7:3  the permit 9c20:7:3 takes 900 model tokens
    930            4f1a:12:1        a sent permit, expired: 930 + 60 <= 1000
    955.25         9c20:7:3         a sent permit, counts until 1015.25
    HELD + 999     4f1a:37:1        a held permit, granted at 999: counts until it is sent, refunded or its lease ends

Windows. The algorithm is that of `gradient_async._protocol.rate_limit.window_counter`: a window of capacity C has room
exactly when the C-th latest sent time is older than the window. Foreign usage is a number that falls evenly from
``count`` at ``first`` to 0 at ``last``, instead of a list of expiry times.

Model tokens. A limit of them is one more window of 60 s, in which a permit takes what was estimated for its request
and, once that is settled, what its response reports. The sum of those that count is the register ``spent``: each
exchange subtracts those that expired since the last one, up to ``spent_upto``, so that its cost does not grow with the
number of permits. A process takes its g-th permit if the tokens of its first g requests are free beside those that the
others claim for the requests that are served before.

Lost replies. A process numbers its exchanges and has one at a time. If an exchange is repeated, because the connection
broke, the members that it added are found by their names and granted again. If the process gave up on an exchange that
Redis executes later, its number is lower than the register: it is ignored as a whole. The permits that the process
never learned of are refunded by its next exchange.

Lost data. A process states the number of its last exchange that Redis answered. If the register shows a lower one,
the key was lost, or the writes of this process were not replicated before a failover. Then nothing is granted; the
process writes its permits again, and the usage that it saw last (``floor``), so that permits of processes that are
idle now still count. Example: 20 of 20 were used at 950, 5 of them by this process. After the loss it writes its 5
permits and the floor (20, 950); 15 are missing and count as used until 1010. When their process writes 12 of them
again, 3 are missing.

Clock. Stamps of the future, after the clock went back, count from now. A process sends the time that it expects; if
the clock differs, nothing is granted, and the process decides whether the clock was set or the call took long.

Fair shares. A process registers how many of its requests wait, and the script counts the permits it was served. Free
tokens go to the process that was served least, as in a fair queue: a process may take its g-th token now if the
others that wait for less than that find theirs in what is left. A lead counts up to half the shortest window, so
neither a newcomer nor a process that was alone for long waits for more than that. Example: 10 tokens are free; A was
served 4 and wants 9, B was served 6 and wants 9. If B asks first it may take 4: when B has 10, A must be able to reach
10 as well, which are the other 6. A process that does not come back when it said it would, loses its claim.
"""

from __future__ import annotations

import hashlib
from importlib import resources

__all__ = ["EXCHANGE", "EXCHANGE_SHA", "HELD", "LEASE", "MAX_INTERVAL"]

HELD = 4_000_000_000_000_000
"""Added to the score of a held permit; in microseconds of the epoch, a time in the year 2096."""
AMOUNT = HELD
"""Subtracted from the negative score of an amount of model tokens, which is below that of each register."""
LEASE = 60.0
"""Seconds after which a held permit of a process that died counts as sent."""
MAX_INTERVAL = 1.0
"""Seconds after which a process that waits, or whose permits count, asks again: data may be lost, others may refund."""
_GRACE = 0.25
"""Seconds by which a waiting process may be late without losing its claim."""
_CLOCK_TOLERANCE = 0.25
"""Seconds by which the time may differ from the expected one."""
_FLOOR_SLACK = 0.1
"""Seconds by which processes may date the same moment differently, because their calls take different times."""

_RENEWAL = 2.0
"""Seconds between two renewals of the time after which Redis removes the key."""
_CLEANING = 8
"""Exchanges of a process between two removals of expired permits and ended leases."""

_FORGET_MODEL = 3600.0
"""Seconds after which a model that nobody asked for is forgotten."""
_BURSTS_AHEAD = 3
"""Full buckets of a quota that may be taken beyond its level, by requests that are larger than the bucket."""

_SETUP = f"""
local HELD, AMOUNT, LEASE, INTERVAL = {HELD}, {AMOUNT}, {LEASE * 1e6:.0f}, {MAX_INTERVAL * 1e6:.0f}
local GRACE, CLOCK_TOLERANCE = {_GRACE * 1e6:.0f}, {_CLOCK_TOLERANCE * 1e6:.0f}
local FORGET_MODEL, BURSTS_AHEAD = {_FORGET_MODEL * 1e6:.0f}, {_BURSTS_AHEAD}
local FLOOR_SLACK, RENEWAL, CLEANING = {_FLOOR_SLACK * 1e6:.0f}, {_RENEWAL * 1e6:.0f}, {_CLEANING}
local request = cjson.decode(ARGV[1])
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local is_clock_off = request.expected > 0 and math.abs(now - request.expected) > CLOCK_TOLERANCE
"""

_PARTS = ("budget", "tokens", "permits", "usage", "shares", "models", "exchange")
"""Files of the folder ``lua``, in the order in which they use each other."""


def _read_part(name: str) -> str:
    return resources.files(__package__).joinpath("lua", f"{name}.lua").read_text(encoding="utf-8")


EXCHANGE = "\n".join([_SETUP, *map(_read_part, _PARTS)])
EXCHANGE_SHA = hashlib.sha1(EXCHANGE.encode(), usedforsecurity=False).hexdigest()
"""The name of the script in Redis."""
