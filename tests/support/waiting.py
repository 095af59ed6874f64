"""Waiting in tests: no test that passes depends on the speed of the machine."""

import asyncio
from collections.abc import Callable

HANG_SECONDS = 45.0
"""Seconds after which a hanging test fails; less than the stalls of a minute or more that tests expect to be cut short."""


async def wait_until(condition: Callable[[], object]) -> None:
    """Poll *condition*: the emulator does not notify a test when a client disconnects."""
    async with asyncio.timeout(HANG_SECONDS):
        while not condition():
            await asyncio.sleep(0.001)
