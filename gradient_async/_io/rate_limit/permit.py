"""`Permit`, which allows one request, and `Limiter`, the interface of every limiter.

Contract: a permit counts from the moment it was granted. If it was acquired with ``hold=True``, it counts without
end until `Permit.sent`, and from then on for one window. Nothing here waits.

Who is bound. A limiter paces one key on one host. ``ratelimit-*`` headers and a bare ``retry-after`` bind the whole
key; ``x-ratelimit-*`` headers bind the pair of the key and the model of the call. So a call states its model twice:
to `Limiter.acquire`, which waits for the key and for that model, and to `Limiter.apply_response`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from gradient_async._protocol.rate_limit.model_budget import ModelBudget
    from gradient_async._protocol.rate_limit.priority_queue import Priority
    from gradient_async._protocol.rate_limit.status import LimiterStatus
    from gradient_async._protocol.rate_limit.token_budget import TokenSpend
    from gradient_async._protocol.rate_limit.wait_details import WaitObserver
    from gradient_async.models.response_meta import RateLimitInfo

__all__ = ["Limiter", "Permit", "PermitOwner"]


class PermitOwner(Protocol):
    """The limiter that granted a permit, as the permit sees it."""

    def _record_sent(self, permit: Permit) -> None: ...

    def _record_refund(self, permit: Permit) -> None: ...

    def _record_tokens(self, permit: Permit, tokens: int) -> None: ...


class Permit:
    """Allows one request.

    Attributes:
        sent_at: Time from which the request counts, on the limiter's clock; the time of the grant until `sent`.
        held: Whether the permit counts without end because its request is not sent yet.
        model: The model whose quotas the request uses, None for a request without one.
        tokens: Model tokens: the estimate of ``acquire(tokens=...)``, or those of `settle`.
        waited: Seconds from asking for the permit to getting it.
        refunded: Whether the permit was given back.
    """

    __slots__ = (
        "__weakref__",
        "_owner",
        "held",
        "model",
        "model_budget",
        "refunded",
        "sent_at",
        "spend",
        "tokens",
        "waited",
    )

    def __init__(  # Hot: called with positions alone; a keyword costs 0.1 us
        self,
        owner: PermitOwner,
        sent_at: float,
        held: bool = False,  # noqa: FBT001, FBT002
        spend: TokenSpend | None = None,
        model: str | None = None,
        model_budget: ModelBudget | None = None,
        tokens: int = 0,
    ) -> None:
        self._owner = owner
        self.sent_at = sent_at
        self.held = held
        self.spend = spend
        self.model = model
        self.model_budget = model_budget
        self.tokens = tokens
        self.waited = 0.0
        self.refunded = False

    def sent(self) -> float:
        """Count the permit from now: its request is being written. Return `sent_at`.

        Raises:
            RuntimeError: The permit was given back.
        """
        if self.refunded:
            raise RuntimeError("this permit was given back: acquire another one")
        self._owner._record_sent(self)
        return self.sent_at

    def refund(self) -> None:
        """Give the permit back because surely nothing was sent. Further calls do nothing."""
        if not self.refunded:
            self.refunded = True
            self._owner._record_refund(self)

    def settle(self, tokens: int) -> None:
        """Replace the estimate of ``acquire(tokens=...)`` by the *tokens* that the response reports."""
        if not self.refunded:
            self._owner._record_tokens(self, tokens)

    def __repr__(self) -> str:
        shown = ("sent_at", "held", "model", "tokens", "waited", "refunded")
        return f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in shown)})"

    def __del__(self) -> None:
        # A held permit that is dropped would count for ever: count it as sent instead.
        if self.held and not self.refunded:
            self._owner._record_sent(self)


class Limiter(Protocol):
    """The interface that the request pipeline needs: `RateLimiter` in one process, `RedisLimiter` across many."""

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
        """Wait until one request, to *model* if it names one, may be sent; *timeout* in seconds.

        *on_wait* is called when it turns out that the wait takes more than a second.
        """
        ...

    def apply_response(self, info: RateLimitInfo, *, status: int, sent_at: float, model: str | None = None) -> None:
        """Update the limiter from the response to the request, to *model*, that was sent at *sent_at*."""
        ...

    def pause(self, seconds: float = 0.0, *, until: float | None = None) -> None:
        """Grant no permit for *seconds*, or before *until*."""
        ...

    def status(self, model: str | None = None) -> LimiterStatus:
        """Return the usage of every window, the queue length and the pause; with *model*, its quotas too."""
        ...

    def new_for_key(self, name: str) -> Limiter:
        """Return a limiter of the same form for another key: the same limits, nothing used.

        *name* identifies that key in every process, and does not reveal it. Whoever calls this closes the new limiter,
        before this one.
        """
        ...

    def estimate(self, n: int = 1, model: str | None = None) -> float:
        """Return the seconds until *n* more requests, to *model* if it is named, could have been sent."""
        ...

    async def aclose(self) -> None:
        """Reject every waiting request, and release the resources of the limiter."""
        ...
