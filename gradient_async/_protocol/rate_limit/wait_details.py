"""`WaitDetails` and `WaitOutcome`: a wait at the limiter, as hooks and the log see it.

Contract: frozen values; all times are in seconds. A program that never waits does not load this module.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs

from gradient_async._protocol.rate_limit.priority_queue import Priority

__all__ = ["WaitDetails", "WaitObserver", "WaitOutcome"]


@attrs.frozen(kw_only=True)
class WaitDetails:
    """A wait of more than a second that begins, or turns out to be that long.

    Attributes:
        seconds: The expected length of the wait, as far as the limits are known.
        limit: The limit that the request waits for, such as ``250 in 60 s``.
        queued: Requests that wait before it.
        model: The model that the request names, None if it names none.
        priority: ``"interactive"`` or ``"bulk"``.
    """

    seconds: float
    limit: str
    queued: int
    model: str | None
    priority: Priority

    def __str__(self) -> str:
        return f"waiting {self.seconds:.0f} s for the rate limit ({self.limit})"


@attrs.frozen(kw_only=True)
class WaitOutcome:
    """The end of a wait.

    Attributes:
        waited: Seconds from its beginning.
        granted: Whether the request may be sent; if not, it was cancelled or ran out of time.
    """

    waited: float
    granted: bool


WaitObserver = Callable[[WaitDetails], Callable[[WaitOutcome], object] | None]
"""Called when a wait begins; returns a function to be called when it ends, or None."""
