#!/usr/bin/env bash
# aiolimiter lets small requests go before a large one: under a limit of tokens a long prompt waits as long as others come.
#
# Versions:  aiolimiter 1.3.0, pyrate-limiter 4.5.1.
# Input:     `AsyncLimiter(6000, 60)`, all of it taken; one request of 4,000, then one of 500 every five seconds, which is
#            what the limit admits. The clock of the event loop jumps to the next timer, so nothing waits.
# Seen:      an hour later the large request still waits, and 719 small ones went. Of a burst, the large one that came
#            first goes last. pyrate-limiter keeps the order in which they came.
# Matters:   the longest prompts time out behind traffic that is within the limit, and no figure shows why. Permits of
#            different sizes go in the order of arrival.
. "$(dirname "$0")/lib/run.sh"
run_python aiolimiter==1.3.0 pyrate-limiter==4.5.1 <<'PY'
import asyncio
import selectors

from aiolimiter import AsyncLimiter
from pyrate_limiter import Limiter, Rate
from serve import expect


class JumpingSelector(selectors.DefaultSelector):
    """Returns at once, and lets the time that it should have waited pass."""

    now = 0.0

    def select(self, timeout=None):
        self.now += timeout or 0.0
        return super().select(0)


def run_jumping(main):
    selector = JumpingSelector()
    loop = asyncio.SelectorEventLoop(selector)
    loop.time = lambda: selector.now
    return loop.run_until_complete(main)


async def go_by_hour():
    limiter = AsyncLimiter(6000, 60)
    await limiter.acquire(6000)
    large = asyncio.create_task(limiter.acquire(4000))
    small = []
    for _ in range(720):
        small.append(asyncio.create_task(limiter.acquire(500)))
        await asyncio.sleep(5)
    seen = large.done(), sum(each.done() for each in small)
    large.cancel()
    await asyncio.gather(large, *small, return_exceptions=True)
    return seen


async def go_in_burst(acquire):
    order = []

    async def go(amount):
        await acquire(amount)
        order.append(amount)

    await acquire(60)
    await asyncio.gather(*[go(amount) for amount in (40, 5, 5, 5)])
    return order


def acquire_pyrate():
    limiter = Limiter(Rate(60, 1000))
    return lambda amount: limiter.try_acquire_async("key", amount)


async def go_pyrate():
    return await go_in_burst(acquire_pyrate())


async def go_aiolimiter():
    return await go_in_burst(AsyncLimiter(60, 60).acquire)


expect(
    {
        "large went, small went": run_jumping(go_by_hour()),
        "aiolimiter, burst": run_jumping(go_aiolimiter()),
        "pyrate-limiter, burst": asyncio.run(go_pyrate()),
    },
    {
        "large went, small went": (False, 719),
        "aiolimiter, burst": [5, 5, 5, 40],
        "pyrate-limiter, burst": [40, 5, 5, 5],
    },
)
PY
