"""The time limits of a stream: its whole duration, and the silence between its blocks and its events.

An `asyncio.timeout` around each read costs more than the read itself. `IdleWatchdog` notes the start of each read
(80 ns) instead, and computes its limit only when the loop's one `DeadlineTimer` asks for it.

Contract: the watchdog refers to the exchange and never to the stream, so that a dropped stream is collected at once.
"""

from __future__ import annotations

import math

from gradient_async._io.http.attempt_timer import body_timeout_error
from gradient_async._io.http.exchange import READ_ERRORS, Exchange
from gradient_async.errors import APIConnectionError, TimeoutPhase


class IdleWatchdog:
    """Reads the body of an exchange, and closes the exchange when it is silent or lasts for too long.

    Attributes:
        exchange: The open response.
        expired: The limit that ran out, None if none did.
        lost: The error of a connection that broke in the middle of the body, None if it did not.
        read_began: Start of the current read, seconds on the loop's clock; None between reads, when the consumer is at
            work and silence does not count.
        event_wait_began: Start of the wait for the next event, likewise; None while nobody waits for one, infinite
            while a JSON body is read, which has no events.
    """

    __slots__ = ("event_wait_began", "exchange", "expired", "lost", "read_began")

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.expired: TimeoutPhase | None = None
        self.lost: APIConnectionError | None = None
        self.read_began: float | None = None
        self.event_wait_began: float | None = None

    def start(self) -> None:
        """Start to watch the exchange."""
        timer = self.exchange.timer
        silence = min(timer.timeouts.idle or math.inf, timer.timeouts.token_idle or math.inf)
        timer.deadline_timer.add(self, min(timer.deadline, self.exchange.arrived_at + silence))

    def stop(self) -> None:
        """Stop watching the exchange."""
        self.exchange.timer.deadline_timer.discard(self)

    async def read_block(self) -> bytes:
        """Return the next bytes of the body; ``b""`` at its end, or when the connection broke, which sets `lost`.

        Hot: runs once for each block.

        Raises:
            APITimeoutError: A time limit ran out.
            GradientError: The session was closed, or the body cannot be read for another reason.
        """
        exchange = self.exchange
        self.read_began = now = exchange.time()
        if self.event_wait_began is None:
            self.event_wait_began = now
        try:
            return await exchange.read()
        except READ_ERRORS as caught:
            error = exchange.translate_error(caught)
        finally:
            self.read_began = None
        if self.expired is not None:
            raise body_timeout_error(self.expired)
        if not isinstance(error, APIConnectionError):
            raise error
        if block := exchange.take_buffered():
            return block
        self.lost = error
        return b""

    @property
    def expires_at(self) -> float:
        """The time at which the first limit runs out, seconds on the loop's clock."""
        return min(self.exchange.timer.deadline, self._idle_deadline())

    def handle_expiry(self) -> None:
        """Close the exchange and note the limit that ran out."""
        self.expired = "idle" if self._idle_deadline() <= self.exchange.timer.deadline else "total"
        self.exchange.close()

    def _idle_deadline(self) -> float:
        timeouts, now = self.exchange.timer.timeouts, self.exchange.time()
        deadline = math.inf
        if timeouts.idle is not None:
            deadline = (now if self.read_began is None else self.read_began) + timeouts.idle
        if timeouts.token_idle is not None:
            began = now if self.event_wait_began is None else self.event_wait_began
            deadline = min(deadline, began + timeouts.token_idle)
        return deadline
