"""The phases of one attempt: which of them is under way, its time limit, and the error when that runs out.

Contract: `AttemptTimer.sent` is never False when any part of the request may have left this machine.
"""

from __future__ import annotations

from gradient_async._io.deadline_timer import DeadlineTimer, PhaseTimer
from gradient_async._io.rate_limit.permit import Permit
from gradient_async._protocol.http.timeouts import Timeouts
from gradient_async.errors import APITimeoutError, TimeoutPhase

_TIMEOUT_ADVICE: dict[TimeoutPhase, str] = {
    "limiter": "The rate limiter has no room within the time limit; wait, or raise Timeouts.total.",
    "pool": "No connection of the pool came free within the time limit; raise max_connections or close streams.",
    "connect": "The connection was not made in time; check the network, or raise Timeouts.connect.",
    "first_byte": "The service did not begin to respond in time; raise Timeouts.first_byte, or stream the response.",
    "idle": "The service stopped sending in the middle of its response; raise Timeouts.idle if that is normal for it.",
    "total": "The call did not end in time; raise Timeouts.total or pass timeout=.",
}


class AttemptTimer(PhaseTimer):
    """Times one attempt: moves the limit from phase to phase and records when each was reached.

    Attributes:
        phase: The phase under way: pool, connect, first_byte, then idle while the body is read.
        sent: Whether any part of the request may have left this machine.
        response_started: Whether the status line has arrived.
        require_new_connection: Whether the attempt must not use a pooled connection.
        connect_started_at: When the new connection was begun, on the loop's clock; None over a pooled one.
        connect: Seconds that opening the new connection took; None over a pooled one.
        sent_at: When the request was written, on the loop's clock; None before that.
    """

    phase: TimeoutPhase = "pool"
    sent = False
    response_started = False
    require_new_connection = False
    connect_started_at: float | None = None
    connect: float | None = None
    sent_at: float | None = None

    def __init__(
        self, deadline_timer: DeadlineTimer, deadline: float, timeouts: Timeouts, permit: Permit | None
    ) -> None:
        super().__init__(deadline_timer, deadline)
        self.timeouts = timeouts
        self.permit = permit

    def __deepcopy__(self, _memo: object) -> AttemptTimer:
        return self  # aioresponses copies the arguments of a request, and a running timer cannot be copied

    @property
    def reused(self) -> bool:
        """Whether the request was sent over a pooled connection."""
        return self.sent_at is not None and self.connect_started_at is None

    def enter_phase(self, phase: TimeoutPhase, now: float, limit: float | None) -> None:
        """Begin *phase*, which may take *limit* seconds but never exceeds the deadline of the call."""
        self.phase = phase
        deadline = self.deadline
        self.reschedule(deadline if limit is None or now + limit > deadline else now + limit)

    def start_connect(self, now: float) -> None:
        """Record that a new connection is being opened."""
        self.connect_started_at = now
        self.enter_phase("connect", now, self.timeouts.connect)

    def finish_connect(self, now: float) -> None:
        """Record that the new connection is open."""
        if self.connect_started_at is not None:
            self.connect = now - self.connect_started_at

    def mark_sent(self, now: float) -> None:
        """Record that the request is being written: from here on it may be processed and billed."""
        self.sent, self.sent_at = True, now
        if self.permit is not None:
            self.permit.sent()
        self.enter_phase("first_byte", now, self.timeouts.first_byte)

    def build_timeout_error(self, now: float) -> APITimeoutError:
        """Build the error for the limit that has just run out."""
        phase: TimeoutPhase = "total" if now >= self.deadline and self.phase != "pool" else self.phase
        return APITimeoutError(_TIMEOUT_ADVICE[phase], phase=phase, maybe_sent=self.sent)


def body_timeout_error(phase: TimeoutPhase) -> APITimeoutError:
    """Build the error for a limit that ran out while a response body was read."""
    return APITimeoutError(_TIMEOUT_ADVICE[phase], phase=phase, maybe_sent=True)
