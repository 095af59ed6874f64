"""`LimiterStatus`: the state of a limiter, as a value, a line of text and an HTML table.

Contract: pure; every time is in seconds on the limiter's clock, which is the loop's. A program that does not ask for
the state does not load this module.
"""

from __future__ import annotations

import attrs

from gradient_async._protocol.rate_limit.rate_limits import PAUSE, format_limit

__all__ = ["LimiterStatus", "QuotaStatus", "WindowStatus", "format_html", "format_line"]

_WINDOW_HEADINGS = ("window", "capacity", "used", "by others", "next free in", "")
_QUOTA_HEADINGS = ("quota", "limit", "left", "next free in")


@attrs.frozen(kw_only=True)
class WindowStatus:
    """The state of one window.

    Attributes:
        capacity: Requests the window admits.
        period: Length in seconds, without the guard.
        used: Tokens taken: sent or held by us, and taken by others.
        foreign: The part of ``used`` that others took with the same key.
        next_free_at: When a token becomes free in this window; the time of the call if one is free now.
    """

    capacity: int
    period: float
    used: int
    foreign: int
    next_free_at: float

    @property
    def free(self) -> int:
        """Tokens left in this window."""
        return max(0, self.capacity - self.used)


@attrs.frozen(kw_only=True)
class QuotaStatus:
    """The state of one quota of a model.

    Attributes:
        kind: ``"requests"``, ``"tokens per minute"`` or ``"tokens per day"``.
        limit: Requests or tokens per period, as the service announced them.
        period: Seconds in which the service refills the whole quota.
        free: Requests or tokens that may be spent at once.
        next_free_at: When the next request or token may be spent; the time of the call if one may be now.
    """

    kind: str
    limit: int
    period: float
    free: int
    next_free_at: float

    @property
    def unit(self) -> str:
        """``"requests"`` or ``"tokens"``."""
        return self.kind.partition(" ")[0]


@attrs.frozen(kw_only=True)
class LimiterStatus:
    """The state of a limiter.

    Attributes:
        windows: One entry per limit, the shortest first.
        queued: Requests that wait for a permit.
        held: Permits whose request is not sent yet; they are part of every ``used``.
        paused_until: When the current pause ends, None without one.
        tokens_used: Model tokens in the last minute, None without a token budget.
        now: When this status was read.
        model: The model that was asked for, None for none.
        quotas: Its quotas, as far as the service announced them.
        model_paused_until: When the current pause of the model ends, None without one.
        models: Names of all models in use.
    """

    windows: tuple[WindowStatus, ...]
    queued: int = 0
    held: int = 0
    paused_until: float | None = None
    tokens_used: int | None = None
    now: float = 0.0
    model: str | None = None
    quotas: tuple[QuotaStatus, ...] = ()
    model_paused_until: float | None = None
    models: tuple[str, ...] = ()

    @property
    def foreign(self) -> int:
        """Requests that others are known to have sent with the same key, in the window that shows most."""
        return max((window.foreign for window in self.windows), default=0)

    @property
    def free(self) -> int:
        """Requests that could be sent at once, 0 during a pause."""
        if self.paused_until is not None:
            return 0
        return min((window.free for window in self.windows), default=0)

    def find_delay(self) -> tuple[float, str]:
        """Return the seconds until the next request may be sent, to `model` if it names one, and the limit until then.

        The limit is text such as ``250 in 60 s``, and empty if a request may be sent now.
        """
        pauses = [(until, PAUSE) for until in (self.paused_until, self.model_paused_until) if until is not None]
        windows = [(window.next_free_at, format_limit(window.capacity, window.period)) for window in self.windows]
        quotas = [(quota.next_free_at, format_limit(quota.limit, quota.period, quota.unit)) for quota in self.quotas]
        at, limit = max([(self.now, ""), *pauses, *quotas, *windows], key=lambda delay: delay[0])
        return at - self.now, limit

    def _repr_html_(self) -> str:
        return format_html(type(self).__name__, self)


def format_line(name: str, status: LimiterStatus) -> str:
    """Return a line with the usage of each window, the queue and the pause."""
    facts = [f"{window.used}/{window.capacity} in {window.period:g} s" for window in status.windows]
    facts += [f"{status.queued} queued"] if status.queued else []
    facts += [f"{status.foreign} by others"] if status.foreign else []
    if status.paused_until is not None:
        facts.append(f"paused for {status.paused_until - status.now:.1f} s")
    return f"<{name} {', '.join(facts)}>"


def format_html(name: str, status: LimiterStatus) -> str:
    """Return HTML tables with one row for each window, and for each quota of the model."""
    from gradient_async.models._html.page import Page, escape_html, render_bar, render_table  # loaded in notebooks only

    def seconds_until(at: float) -> str:
        return f"{max(0.0, at - status.now):.1f} s"

    page = Page()
    windows = []
    for window in status.windows:
        counts = [f"{number}" for number in (window.capacity, window.used, window.foreign)]
        wait, bar = seconds_until(window.next_free_at), render_bar(window.used, window.capacity)
        windows.append([f"{window.period:g} s", *counts, wait, bar])
    page.add_html(render_table(_WINDOW_HEADINGS, windows, format_line(name, status)))
    quotas = [
        [escape_html(quota.kind), f"{quota.limit}", f"{quota.free}", seconds_until(quota.next_free_at)]
        for quota in status.quotas
    ]
    if quotas:
        page.add_html(render_table(_QUOTA_HEADINGS, quotas, f"{status.model}"))
    elif status.models:
        page.add_facts([("quotas", f"limits.status(model=...), for {', '.join(status.models)}")])
    if status.model_paused_until is not None:
        wait = seconds_until(status.model_paused_until)
        page.add_facts([(f"{status.model}", f"paused by the service for {wait}")])
    return page.render()
