"""`AgentLimiters`: one limiter for the key of each agent.

Contract: belongs to the session's event loop. A limiter that is not used is forgotten and closed: nobody asked for it
in the last minute, its windows are empty, and nothing is paused. So a program that serves any number of agents keeps
those of the last hour.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from gradient_async._protocol.http.credentials import fingerprint_key

if TYPE_CHECKING:
    from gradient_async._io.rate_limit.permit import Limiter

__all__ = ["AgentLimiters"]

_MIN_LIMITERS = 16
_KEEP_SECONDS = 60.0
"""A stream asks for its limiter when it is created, and for a permit when it is first read."""


class AgentLimiters:
    """The limiters of agents, in the form of another one.

    Args:
        limiter: The limiter of the inference key.
        clock: Seconds that never go backwards.
    """

    def __init__(self, limiter: Limiter, clock: Callable[[], float] = time.monotonic) -> None:
        self._limiter, self._clock = limiter, clock
        self._by_key: dict[tuple[str, str], Limiter] = {}
        self._asked_at: dict[tuple[str, str], float] = {}
        self._forget_at = _MIN_LIMITERS
        self._closing: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._by_key)

    def get_limiter(self, address: str, key: str) -> Limiter:
        """Return the limiter of *key* at *address*."""
        limiter = self._by_key.get((address, key))
        if limiter is None:
            if len(self._by_key) >= self._forget_at:
                self._forget_unused()
            limiter = self._by_key[address, key] = self._limiter.new_for_key(fingerprint_key(address, key))
        self._asked_at[address, key] = self._clock()
        return limiter

    async def aclose(self) -> None:
        """Close every limiter."""
        for limiter in self._by_key.values():
            await limiter.aclose()
        await asyncio.gather(*self._closing)

    def _forget_unused(self) -> None:
        """Forget unused limiters, unless no event loop runs in which they could be closed."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        asked_before = self._clock() - _KEEP_SECONDS
        for key, limiter in list(self._by_key.items()):
            if self._asked_at[key] < asked_before and is_unused(limiter):
                del self._by_key[key], self._asked_at[key]
                task = loop.create_task(limiter.aclose())
                self._closing.add(task)
                task.add_done_callback(self._closing.discard)
        self._forget_at = max(_MIN_LIMITERS, 2 * len(self._by_key))


def is_unused(limiter: Limiter) -> bool:
    """Whether nothing is lost if *limiter* is replaced by a new one."""
    status = limiter.status()
    if status.queued or status.held or status.paused_until is not None or any(each.used for each in status.windows):
        return False
    return all(limiter.status(model).model_paused_until is None for model in status.models)
