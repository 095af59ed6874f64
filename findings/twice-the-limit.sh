#!/usr/bin/env bash
# Limiters that are set to 60 a minute let 119 through in one: a full bucket, and what flows into it meanwhile.
#
# Versions:  aiolimiter 1.3.0, asynciolimiter 1.2.0.
# Input:     200 tasks at once, `AsyncLimiter(60, 60)` and `LeakyBucketLimiter(1, capacity=60)`; the clock of the event
#            loop jumps to the next timer, so nothing waits.
# Seen:      both let 119 requests start within some 60 seconds; asynciolimiter's `Limiter(1, max_burst=60)` 60.
# Matters:   a service that counts the requests of the last minute refuses half of that minute. With such a limiter the
#            safe setting is half the limit, or a bucket of one with a rate.
. "$(dirname "$0")/lib/run.sh"
run_python aiolimiter==1.3.0 asynciolimiter==1.2.0 <<'PY'
import asyncio
import selectors

from aiolimiter import AsyncLimiter
from asynciolimiter import LeakyBucketLimiter, Limiter
from serve import expect


class JumpingSelector(selectors.DefaultSelector):
    """Returns at once, and lets the time that it should have waited pass."""

    now = 0.0

    def select(self, timeout=None):
        self.now += timeout or 0.0
        return super().select(0)


async def start_all(acquire_of, now):
    acquire, starts = acquire_of(), []

    async def start():
        await acquire()
        starts.append(now())

    await asyncio.gather(*[start() for _ in range(200)])
    return max(sum(begin <= other < begin + 60 for other in starts) for begin in starts)


def most_in_a_minute(acquire_of):
    selector = JumpingSelector()
    loop = asyncio.SelectorEventLoop(selector)
    loop.time = lambda: selector.now
    return loop.run_until_complete(start_all(acquire_of, loop.time))


expect(
    {
        "aiolimiter": most_in_a_minute(lambda: AsyncLimiter(60, 60).acquire),
        "asynciolimiter, bucket": most_in_a_minute(lambda: LeakyBucketLimiter(1, capacity=60).wait),
        "asynciolimiter": most_in_a_minute(lambda: Limiter(1, max_burst=60).wait),
    },
    {"aiolimiter": 119, "asynciolimiter, bucket": 119, "asynciolimiter": 60},
)
PY
