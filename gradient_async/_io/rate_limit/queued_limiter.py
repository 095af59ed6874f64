"""`QueuedLimiter`: the waiting that `RateLimiter` and `RedisLimiter` share.

Contract: belongs to one event loop at a time. Times are in seconds on that loop's clock. A subclass decides whether a
request may be sent; every wait is in `gradient_async._io.rate_limit.wait_queue`.
"""

from __future__ import annotations

import abc
import asyncio
import logging
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from gradient_async._io.deadline_timer import get_loop
from gradient_async._io.rate_limit.permit import Permit
from gradient_async._io.rate_limit.wait_queue import Waiter, WaitQueue
from gradient_async._protocol.rate_limit.priority_queue import Priority

if TYPE_CHECKING:
    from gradient_async._io.rate_limit.wait_report import WaitReporter
    from gradient_async._protocol.rate_limit.status import LimiterStatus
    from gradient_async._protocol.rate_limit.wait_details import WaitDetails, WaitObserver

__all__ = ["QueuedLimiter"]

_log = logging.getLogger("gradient_async")


class QueuedLimiter(abc.ABC):
    """A limiter with a queue in front of it.

    Args:
        clock: Seconds that never go backwards.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._wait_queue = WaitQueue(clock, self._grant_ready)
        self._serving: Waiter | None = None

    @cached_property
    def _wait_reporter(self) -> WaitReporter:
        """The reporter of long waits."""
        from gradient_async._io.rate_limit.wait_report import WaitReporter  # loaded when somebody waits

        return WaitReporter(self._describe_wait, self._wait_queue)

    async def acquire(
        self,
        priority: Priority = "interactive",
        *,
        timeout: float | None = None,
        tokens: int = 0,
        hold: bool = False,
        model: str | None = None,
        on_wait: WaitObserver | None = None,
    ) -> Permit:
        """Wait until one request may be sent.

        Args:
            priority: ``"interactive"`` goes before ``"bulk"``, which still gets every eighth turn while both wait.
            timeout: Longest wait in seconds, None for no limit.
            tokens: Model tokens that the request is expected to use, for ``tokens_per_minute``.
            hold: Count the permit without end until `Permit.sent` or `Permit.refund`, because the request still
                has to wait for a connection or for a place in a pool.
            model: Name of the model that the request is for; it waits for the quotas of that model too.
            on_wait: Called with `WaitDetails` if the wait takes more than a second; may return a function to be called
                with the `WaitOutcome` at the end.

        Returns:
            The permit of one request. Call its ``refund()`` if surely nothing was sent.

        Raises:
            APITimeoutError: The wait is longer than *timeout*: raised at once if that is known, else after it.
            APIConnectionError: `RedisLimiter` only: Redis does not answer, and *when_down* is ``"fail_closed"``.
            SessionClosedError: The limiter was closed, or belongs to another event loop that still runs.

        Example::

            permit = await limiter.acquire("bulk", timeout=60.0)
            try:
                response = await send()
            except ConnectionRefusedError:
                permit.refund()
                raise
        """
        wait_queue = self._wait_queue
        loop = asyncio._get_running_loop() or get_loop()
        if loop is not wait_queue.loop:
            self._bind_loop(loop)
        permit, report = None, None
        if not wait_queue.waiters.size or wait_queue.waiters.may_pass(model):
            permit = self._try_acquire(tokens, hold, model)
        if permit is not None:
            return permit
        waiter = Waiter(priority, timeout, tokens, hold, model, wait_queue.clock())
        granted = self._enqueue_waiter(waiter)
        try:
            if not granted.done():
                if on_wait is not None or _log.isEnabledFor(logging.INFO):
                    report = self._wait_reporter.watch(waiter, on_wait, loop)
                if self._serving is waiter:
                    await self._serve_queue(granted)
            permit = await granted
        except BaseException:
            wait_queue.cancel(waiter)
            raise
        finally:
            if report is not None:
                report.end(granted=permit is not None, now=wait_queue.clock())
        permit.waited = wait_queue.clock() - waiter.since
        return permit

    @abc.abstractmethod
    def status(self, model: str | None = None) -> LimiterStatus:
        """Return the usage of every window, the queue length and the pause; with *model*, its quotas too."""

    @abc.abstractmethod
    def new_for_key(self, name: str) -> QueuedLimiter:
        """Return a limiter of the same form for another key: the same limits, nothing used."""

    @abc.abstractmethod
    def _try_acquire(self, tokens: int, hold: bool, model: str | None) -> Permit | None:  # noqa: FBT001  keywords cost 60 ns
        """Return a permit if one is free without waiting, else None."""

    @abc.abstractmethod
    def _enqueue_waiter(self, waiter: Waiter) -> asyncio.Future[Permit]:
        """Add *waiter* to the queue, and reject it at once if its timeout is surely too short."""

    async def _serve_queue(self, granted: asyncio.Future[Permit]) -> None:
        """Serve the queue in the task of the waiter that is `_serving`, until *granted* is done or nothing is due."""
        raise NotImplementedError  # of a subclass that sets `_serving`

    @abc.abstractmethod
    def _grant_ready(self, now: float) -> float:
        """Grant permits to the waiters that may go; return the seconds until the next one may."""

    @abc.abstractmethod
    def _describe_wait(self, waiter: Waiter) -> WaitDetails:
        """Return how long *waiter*, which is in the queue, is expected to wait, and for which limit."""

    @abc.abstractmethod
    def _bind_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        """Move the queue to *loop*, and use its clock."""

    def __repr__(self) -> str:
        from gradient_async._protocol.rate_limit.status import format_line  # loaded when somebody asks

        return format_line(type(self).__name__, self.status())

    def _repr_html_(self) -> str:
        from gradient_async._protocol.rate_limit.status import format_html

        return format_html(type(self).__name__, self.status())
