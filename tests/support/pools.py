"""What tests of streams ask of a session's pool and of the emulator."""

import asyncio

from gradient_async import AsyncSession
from gradient_async.testing import Emulator


def acquired(session: AsyncSession) -> int:
    """How many connections of the pool are in use."""
    pool = session._transport._pool
    return 0 if pool is None or pool.connector is None else len(pool.connector._acquired)


async def settled(emulator: Emulator) -> None:
    """Wait until the emulator has noticed that everybody left."""
    async with asyncio.timeout(5):
        while emulator.active:
            await asyncio.sleep(0.005)
