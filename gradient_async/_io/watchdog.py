"""One timer for a whole stream, re-armed only when it fires.

An awaited time limit around every read costs more than the read; noting the time of a read costs 80 ns.
"""

from __future__ import annotations

import asyncio
import math

import attrs

from gradient_async._io.exchange import Exchange
from gradient_async._protocol.timeouts import Timeouts
from gradient_async.errors import TimeoutPhase


@attrs.define(eq=False, repr=False)
class Watchdog:
    """Closes an exchange that is silent for too long, or lasts too long; whoever reads it is woken.

    It refers to the exchange and never to the stream, so that a dropped stream can be noticed.

    Attributes:
        expired: Which limit ran out, None while none has.
        waiting_since: When the read began that is under way now; None between reads, when silence is the reader's.
        asking_since: When the reader began to wait for the chunk it wants now; None while it wants none.
    """

    exchange: Exchange
    timeouts: Timeouts
    deadline: float
    expired: TimeoutPhase | None = None
    waiting_since: float | None = None
    asking_since: float | None = None
    _handle: asyncio.TimerHandle | None = attrs.field(default=None, init=False)

    def start(self, now: float) -> None:
        """Begin to watch."""
        self._arm(self._limit(now)[0])

    def stop(self) -> None:
        """Watch no more."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _limit(self, now: float) -> tuple[float, TimeoutPhase]:
        """Return when the first limit runs out if nothing happens from now on, and which it is."""
        waiting_since = now if self.waiting_since is None else self.waiting_since
        limits: list[tuple[float, TimeoutPhase]] = [(self.deadline, "total")]
        if self.timeouts.idle is not None:
            limits.append((waiting_since + self.timeouts.idle, "idle"))
        if self.timeouts.token_idle is not None:
            silent_since = now if self.asking_since is None else self.asking_since
            limits.append((silent_since + self.timeouts.token_idle, "idle"))
        return min(limits)

    def _arm(self, when: float) -> None:
        if not math.isinf(when):
            self._handle = asyncio.get_running_loop().call_at(when, self._look)

    def _look(self) -> None:
        now = asyncio.get_running_loop().time()
        when, phase = self._limit(now)
        if now < when:
            self._arm(when)
            return
        self.expired = phase
        self.exchange.close()
