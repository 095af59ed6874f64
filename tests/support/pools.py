"""Connections of a session's pool and of the emulator, for assertions about streams."""

from gradient_async import AsyncSession
from gradient_async.testing import Emulator
from tests.support.waiting import wait_until


def count_acquired(session: AsyncSession) -> int:
    """Return the number of connections of the pool that are in use."""
    pool = session._transport._pool
    return 0 if pool is None or pool.connector is None else len(pool.connector._acquired)


async def wait_for_disconnects(emulator: Emulator) -> None:
    """Wait until the emulator has noticed every disconnected client."""
    await wait_until(lambda: not emulator.active)
