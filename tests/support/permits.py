"""Limiters in virtual time, and a log of the permits that they grant."""

import asyncio
from typing import Any

from gradient_async._io.rate_limit.limiter import RateLimiter
from gradient_async._io.rate_limit.permit import Permit
from gradient_async._protocol.rate_limit.rate_limits import RateLimits


def make_limiter(*windows: tuple[int, float], guard: float = 0.0, **options: Any) -> RateLimiter:
    """Return a limiter without jitter."""
    return RateLimiter(RateLimits(windows=windows), guard=guard, chance=lambda: 0.0, **options)


async def run_pending() -> None:
    """Let every task run until it waits."""
    for _ in range(5):
        await asyncio.sleep(0)


def loop_time() -> float:
    """Return the time of the running loop in seconds."""
    return asyncio.get_running_loop().time()


class PermitLog:
    """Acquires permits in tasks; records names and times in the order of the grants."""

    def __init__(self, limiter: RateLimiter) -> None:
        self.limiter = limiter
        self.entries: list[tuple[object, float]] = []

    def start(self, name: object, **options: Any) -> asyncio.Task[Permit]:
        """Acquire a permit for *name* in a task."""
        return asyncio.create_task(self._acquire(name, options))

    async def _acquire(self, name: object, options: dict[str, Any]) -> Permit:
        permit = await self.limiter.acquire(**options)
        self.entries.append((name, round(loop_time(), 2)))
        return permit

    @property
    def names(self) -> list[object]:
        return [name for name, _ in self.entries]

    @property
    def times(self) -> list[float]:
        return [at for _, at in self.entries]
