"""A clock of the event loop that stands still while the process is stopped, or gets no processor.

A test with a limit of 0.1 s means: nothing arrives for that long. On a machine that stops for a second, the limit runs
out although the data has arrived, or before the request is sent. With this clock the stop takes no time, for client and
emulator alike.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

STOP_SECONDS = 0.03
"""A gap between two readings of the clock that is longer than this is a stop; the waits of the loop are no gaps."""


class SteadyClock:
    """Seconds in which the process ran or its event loop waited for a timer."""

    def __init__(self) -> None:
        self._read_at = time.monotonic()
        self._lost = 0.0

    def read_time(self) -> float:
        """Return the time; a replacement for `asyncio.AbstractEventLoop.time`."""
        self._advance(0.0)
        return self._read_at - self._lost

    def _advance(self, waited: float) -> None:
        """Move on to now; all but *waited* and a short gap was a stop."""
        now = time.monotonic()
        if (gap := now - self._read_at - waited) > STOP_SECONDS:
            self._lost += gap
        self._read_at = now

    def attach(self, loop: Any) -> None:
        """Be the clock of *loop*."""
        select = loop._selector.select

        def select_steadily(timeout: float | None = None) -> Any:
            self._advance(0.0)
            events = select(timeout)
            self._advance(float("inf") if timeout is None else timeout)
            return events

        loop._selector.select, loop.time = select_steadily, self.read_time


def use_steady_clock(loop: asyncio.AbstractEventLoop) -> None:
    """Let the clock of *loop* stand still while the process is stopped; a loop that is not asyncio's own stays as it is."""
    if hasattr(loop, "_selector"):
        SteadyClock().attach(loop)
