"""How far an attempt has come, and what it means that its time ran out there.

Contract: `sent` is never False when any part of the request may have left this machine.
"""

from __future__ import annotations

import attrs

from gradient_async._io.deadline_timer import PhaseTimer
from gradient_async._io.rate_limit.permit import Permit
from gradient_async._protocol.http.timeouts import Timeouts
from gradient_async.errors import APITimeoutError, TimeoutPhase


@attrs.define(eq=False, repr=False)
class AttemptTimer(PhaseTimer):
    """How far an attempt has come: a timer that goes from phase to phase.

    Attributes:
        sent: Whether any part of the request may have left this machine.
        response_started: Whether the status line has arrived.
        lost_before_response: Whether the connection ended instead, without a byte of it.
        require_new_connection: Whether a connection that has served before will not do.
    """

    timeouts: Timeouts
    permit: Permit | None
    phase: TimeoutPhase = attrs.field(default="pool", init=False)
    sent: bool = attrs.field(default=False, init=False)
    response_started: bool = attrs.field(default=False, init=False)
    lost_before_response: bool = attrs.field(default=False, init=False)
    require_new_connection: bool = attrs.field(default=False, init=False)
    connect_started_at: float | None = attrs.field(default=None, init=False)
    connect: float | None = attrs.field(default=None, init=False)
    sent_at: float | None = attrs.field(default=None, init=False)

    def __deepcopy__(self, _memo: object) -> AttemptTimer:
        return self  # aioresponses copies what a request was called with, and a live timer has no copy

    def enter_phase(self, phase: TimeoutPhase, now: float, limit: float | None) -> None:
        """Begin *phase*, which may take *limit* seconds."""
        self.phase = phase
        deadline = self.deadline
        self.reschedule(deadline if limit is None or now + limit > deadline else now + limit)

    @property
    def reused(self) -> bool:
        """Whether the request went over a connection that had served before."""
        return self.sent_at is not None and self.connect_started_at is None

    def start_connect(self, now: float) -> None:
        """Note that a new connection is being opened."""
        self.connect_started_at = now
        self.enter_phase("connect", now, self.timeouts.connect)

    def finish_connect(self, now: float) -> None:
        """Note that the connection stands."""
        if self.connect_started_at is not None:
            self.connect = now - self.connect_started_at

    def mark_sent(self, now: float) -> None:
        """Note that the request is being written: from here on it may be processed and billed."""
        self.sent, self.sent_at = True, now
        if self.permit is not None:
            self.permit.sent()
        self.enter_phase("first_byte", now, self.timeouts.first_byte)

    def build_timeout_error(self, now: float) -> APITimeoutError:
        """Return the error for the timer that just ran out."""
        phase: TimeoutPhase = "total" if now >= self.deadline and self.phase != "pool" else self.phase
        return APITimeoutError(_TIMEOUT_ADVICE[phase], phase=phase, maybe_sent=self.sent)


_TIMEOUT_ADVICE: dict[TimeoutPhase, str] = {
    "limiter": "The rate limiter has no room within the time limit; wait, or raise Timeouts.total.",
    "pool": "No connection of the pool came free within the time limit; raise max_connections or close streams.",
    "connect": "The connection was not made in time; check the network, or raise Timeouts.connect.",
    "first_byte": "The service did not begin to answer in time; raise Timeouts.first_byte, or stream the answer.",
    "idle": "The service fell silent in the middle of its answer; raise Timeouts.idle if it may.",
    "total": "The call did not end in time; raise Timeouts.total or pass timeout=.",
}


def body_timeout_error(phase: TimeoutPhase) -> APITimeoutError:
    """Return the error for a body that stayed away for too long."""
    return APITimeoutError(_TIMEOUT_ADVICE[phase], phase=phase, maybe_sent=True)
