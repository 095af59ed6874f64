"""`Errands`: what is told to Redis without anybody waiting for it.

Contract: a call that fails is reported to its owner once, and never raised. What permits came to is collected
for a moment and told in one call. Every task is remembered until it is done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine

from gradient_async.limits.redis.store import StoreDown

__all__ = ["Errands"]

_COALESCE = 0.01
"""Seconds for which the fates of permits are collected."""
_SETTLE_AGAIN = 1.0
_LINGER = 1.0
"""Seconds for which closing waits for calls under way."""

Fates = dict[str, float | None]
Call = Coroutine[object, object, None]


class Errands:
    """Runs calls in the background of one event loop at a time.

    Args:
        settle: Tells Redis when each named permit was sent; None for one that was given back.
        failed: Called with the reason when a call failed.
        settled: Called when permits were settled, which may have made room.
    """

    def __init__(
        self, settle: Callable[[Fates], Call], failed: Callable[[StoreDown], None], settled: Callable[[], None]
    ) -> None:
        self._settle, self._failed, self._settled = settle, failed, settled
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._fates: Fates = {}
        self._timer: asyncio.TimerHandle | None = None

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """Move to *loop*; what ran on another one is over."""
        self._loop, self._timer = loop, None
        self._tasks.clear()

    def start(self, call: Call) -> asyncio.Task[None]:
        """Run *call*, which handles its own failures."""
        assert self._loop is not None  # noqa: S101  the owner binds first
        task = self._loop.create_task(call)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def tell(self, call: Call) -> None:
        """Send *call* to Redis; without a loop there is nobody to tell."""
        if self._loop is None or self._loop.is_closed():
            return call.close()
        # A task that is cancelled before its first step would never have awaited the call.
        self.start(self._told(call)).add_done_callback(lambda _: call.close())
        return None

    def settle_soon(self, name: str, at: float | None) -> None:
        """Tell Redis in a moment that the permit *name* counts from *at*; None if it was given back."""
        self._fates[name] = at
        self._settle_after(_COALESCE)

    async def aclose(self, *, settles: bool) -> None:
        """Let what is under way end in a moment and settle what is left, if it *settles*; end every call."""
        if self._tasks and settles:
            await asyncio.wait(self._tasks, timeout=_LINGER)
        self._disarm()
        if self._fates and settles:
            await self._settle_all()
        self._disarm()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _settle_after(self, seconds: float) -> None:
        if self._timer is None and self._loop is not None and not self._loop.is_closed():
            self._timer = self._loop.call_later(seconds, self._settle_now)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _settle_now(self) -> None:
        self._timer = None
        self.start(self._settle_all())

    async def _settle_all(self) -> None:
        fates, self._fates = self._fates, {}
        try:
            await self._settle(fates)
        except StoreDown as failure:
            self._fates = fates | self._fates
            self._settle_after(_SETTLE_AGAIN)
            return self._failed(failure)
        return self._settled()

    async def _told(self, call: Call) -> None:
        try:
            await call
        except StoreDown as failure:
            self._failed(failure)
