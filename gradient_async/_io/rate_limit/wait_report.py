"""`WaitReporter`: tells the log and hooks of requests that wait for more than a second.

Contract: an observer that was told of a wait is told of its end exactly once; its exceptions are logged and do not
reach the request. The log gets one INFO record for a wait, and at most one in ten seconds for each limit: it states how
many wait. The caller asks whether anybody wants to know, so that other requests cost nothing here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import attrs

from gradient_async._io.rate_limit.wait_queue import Waiter, WaitQueue

if TYPE_CHECKING:
    from gradient_async._protocol.rate_limit.wait_details import WaitDetails, WaitObserver, WaitOutcome

__all__ = ["WaitReport", "WaitReporter"]

_log = logging.getLogger("gradient_async")

A = TypeVar("A")
R = TypeVar("R")

_LONG = 1.0
"""Seconds of a wait that is worth a report."""
_LOG_INTERVAL = 10.0
_LOOK_INTERVAL = 0.1
"""Seconds between two forecasts for the log alone: a forecast may cost as much as a hundred permits."""
_MAX_LIMITS = 100


class WaitReport:
    """The report of one wait.

    Attributes:
        waiter: The request that waits.
        observer: Told of the wait; None for the log alone.
        timer: Fires when the wait has become long.
    """

    def __init__(self, waiter: Waiter, observer: WaitObserver | None) -> None:
        self.waiter = waiter
        self.observer = observer
        self.timer: asyncio.TimerHandle | None = None
        self._end: Callable[[WaitOutcome], object] | None = None

    def begin(self, details: WaitDetails) -> None:
        """Tell the observer that the wait has begun."""
        self._end = None if self.observer is None else call_observer(self.observer, details)

    def end(self, *, granted: bool, now: float) -> None:
        """Tell the observer that the wait is over, if it was told of it."""
        if self.timer is not None:
            self.timer.cancel()
        if self._end is not None:
            from gradient_async._protocol.rate_limit.wait_details import WaitOutcome

            end, self._end = self._end, None
            call_observer(end, WaitOutcome(waited=now - self.waiter.since, granted=granted))


class WaitReporter:
    """Reports the waits of one limiter.

    Args:
        describe: Returns the expected rest of a wait.
        wait_queue: The queue, for its clock, which may be replaced.
    """

    def __init__(self, describe: Callable[[Waiter], WaitDetails], wait_queue: WaitQueue) -> None:
        self._describe, self._wait_queue = describe, wait_queue
        self._logged_at: dict[str, float] = {}
        self._looked_at = -_LOOK_INTERVAL

    def watch(
        self, waiter: Waiter, observer: WaitObserver | None, loop: asyncio.AbstractEventLoop
    ) -> WaitReport | None:
        """Report the wait of *waiter*, at once or when it has become long.

        Without an *observer* it is for the log alone; return None if the log was told just now of others that wait too.
        """
        if observer is None and not self._may_look():
            return None
        report = WaitReport(waiter, observer)
        details = self._describe(waiter)
        if details.seconds > _LONG:
            self._begin(report, details)
        else:
            report.timer = loop.call_later(_LONG, self._begin_late, report)
        return report

    def _may_look(self) -> bool:
        """Whether the log was not told just now of others that wait too."""
        now = self._wait_queue.clock()
        if 0 <= now - self._looked_at < _LOOK_INTERVAL:
            return False
        self._looked_at = now
        return True

    def _begin_late(self, report: WaitReport) -> None:
        report.timer = None
        rest, waited = self._describe(report.waiter), self._wait_queue.clock() - report.waiter.since
        self._begin(report, attrs.evolve(rest, seconds=waited + rest.seconds))

    def _begin(self, report: WaitReport, details: WaitDetails) -> None:
        now = self._wait_queue.clock()
        if now - self._logged_at.get(details.limit, -_LOG_INTERVAL) >= _LOG_INTERVAL:
            if len(self._logged_at) >= _MAX_LIMITS:
                self._logged_at.clear()
            self._logged_at[details.limit] = now
            _log.info(
                "rate limit: waiting %.1f s (%s), %d requests before it", details.seconds, details.limit, details.queued
            )
        report.begin(details)


def call_observer(observer: Callable[[A], R], details: A) -> R | None:
    """Return ``observer(details)``; log an exception of the observer and return None."""
    try:
        return observer(details)
    except Exception:  # noqa: BLE001  of the caller's code, logged
        _log.exception("a hook failed")
        return None
