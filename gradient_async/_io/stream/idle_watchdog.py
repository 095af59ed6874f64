"""The time limits of a stream: the whole of it, and the silence in it.

An awaited time limit around every read costs more than the read; noting the time of a read costs 80 ns. The limit is
worked out when the one timer of the loop looks at it.
"""

from __future__ import annotations

import math

import attrs

from gradient_async._io.http.exchange import Exchange
from gradient_async.errors import TimeoutPhase


@attrs.define(eq=False, repr=False)
class IdleWatchdog:
    """Closes an exchange that is silent for too long, or lasts too long; whoever reads it is woken.

    It refers to the exchange and never to the stream, so that a dropped stream can be noticed.

    Attributes:
        expired: Which limit ran out, None while none has.
        waiting_since: When the read began that is under way now; None between reads, when silence is the reader's.
        asking_since: When the reader began to wait for the chunk it wants now; None while it wants none, infinite
            while a whole answer is read, which has no chunks.
    """

    exchange: Exchange
    expired: TimeoutPhase | None = attrs.field(default=None, init=False)
    waiting_since: float | None = attrs.field(default=None, init=False)
    asking_since: float | None = attrs.field(default=None, init=False)

    def start(self) -> None:
        """Begin to watch."""
        timer = self.exchange.timer
        silence = min(timer.timeouts.idle or math.inf, timer.timeouts.token_idle or math.inf)
        timer.deadline_timer.add(self, min(timer.deadline, self.exchange.arrived_at + silence))

    def stop(self) -> None:
        """Watch no more."""
        self.exchange.timer.deadline_timer.discard(self)

    @property
    def limit(self) -> float:
        """When the first limit runs out if nothing happens from now on."""
        return min(self.exchange.timer.deadline, self._silent_until())

    def expire(self) -> None:
        """Close the exchange: time is up."""
        self.expired = "idle" if self._silent_until() <= self.exchange.timer.deadline else "total"
        self.exchange.close()

    def _silent_until(self) -> float:
        """Return when silence will have lasted too long."""
        timeouts, now = self.exchange.timer.timeouts, self.exchange.time()
        until = math.inf
        if timeouts.idle is not None:
            until = (now if self.waiting_since is None else self.waiting_since) + timeouts.idle
        if timeouts.token_idle is not None:
            until = min(until, (now if self.asking_since is None else self.asking_since) + timeouts.token_idle)
        return until
