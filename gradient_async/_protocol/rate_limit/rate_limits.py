"""`RateLimits`: the budget of one key on one host, as a value.

Contract: pure, frozen, comparable, picklable. Periods are in seconds.

Source: seed document 001, "Rate Limit": 5,000 requests per hour and 250 per minute.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable
from itertools import pairwise

import attrs

from gradient_async._value import FrozenValue
from gradient_async.errors import ConfigurationError, quote_argument

__all__ = ["PAUSE", "RateLimits", "format_limit", "validate_windows"]

PAUSE = "paused by the service"
"""The limit of a wait that a refusal caused."""
_MINUTE, _HOUR = 60.0, 3600.0
_DOCUMENTED = (250, 5000)


class _Default(int):
    """A number that the caller did not state, so that it gives way to one that the caller did."""


_PER_MINUTE = _Default(_DOCUMENTED[0])

WindowSpec = tuple[int, float]


def _validate_count(value: object, name: str) -> int:
    """Return *value* as an int of at least 1; raise `ConfigurationError` with *name* if it is not one."""
    try:
        count = 0 if isinstance(value, bool) else int(operator.index(value))  # type: ignore[arg-type]  # TypeError below
    except TypeError:
        count = 0
    if count < 1:
        raise ConfigurationError(f"{name} is {quote_argument(value)}: give a whole number of at least 1")
    return count


def _validate_period(value: object) -> float:
    """Return *value* as a positive, finite number of seconds; raise `ConfigurationError` if it is not one."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        got = quote_argument(value)
        raise ConfigurationError(f"a window of {got} seconds: give a positive, finite number of seconds")
    return float(value)


def _require_pairs(windows: object) -> list[WindowSpec]:
    try:
        return [(capacity, period) for capacity, period in windows]  # type: ignore[attr-defined]  # TypeError below
    except (TypeError, ValueError):
        got = quote_argument(windows)
    raise ConfigurationError(f"windows must be pairs of requests and seconds, as [(250, 60.0)]; got {got}")


def require_limits(limits: RateLimits) -> RateLimits:
    """Return *limits*; raise `ConfigurationError` if they are something else."""
    if isinstance(limits, RateLimits):
        return limits
    raise ConfigurationError(f"limits must be RateLimits, as RateLimits(per_minute=100); got {quote_argument(limits)}")


def validate_windows(windows: Iterable[WindowSpec]) -> tuple[WindowSpec, ...]:
    """Return *windows* as (capacity, seconds), the shortest first.

    Raises:
        ConfigurationError: There is no window, two contradict each other, or a number is out of range.
    """
    validated: dict[float, int] = {}
    for capacity, period in _require_pairs(windows):
        seconds = _validate_period(period)
        if seconds in validated:
            raise ConfigurationError(f"two windows of {seconds:g} s: keep the one that is meant")
        validated[seconds] = _validate_count(capacity, f"the capacity of the {seconds:g} s window")
    if not validated:
        raise ConfigurationError("no window at all: pass limits=None to switch the limiter off")
    ascending = tuple((validated[seconds], seconds) for seconds in sorted(validated))
    for (shorter, seconds), (longer, longer_seconds) in pairwise(ascending):
        if shorter > longer:
            raise ConfigurationError(
                f"{shorter} requests in {seconds:g} s contradict {longer} in {longer_seconds:g} s: lower the first to "
                f"{longer} or less, raise the second, or leave one out"
            )
    return ascending


@attrs.frozen(init=False, eq=False, repr=False)
class RateLimits(FrozenValue):
    """The budget of one key on one host: the requests allowed in every window at once.

    ``RateLimits(per_minute=250, per_hour=5000)`` equals
    ``RateLimits(windows=[(250, 60.0), (5000, 3600.0)])``; None leaves a window out.

    Attributes:
        windows: ``(capacity, seconds)`` pairs, the shortest first. No window has more than a longer one.
        tokens_per_minute: Model tokens (not requests) per rolling minute, None for no such limit. A session counts
            an estimate of each request, and its usage once the response states it.
        follow: Whether a higher hourly number announced by the service is adopted. A lower one always is.
        tiers: Whether the quotas that the service announces for models raise the shortest window to their sum, and the
            longest in proportion. Calls to a model wait for its own quotas in any case.
        share: The fraction of the account's budget that these limits are, see `split`.
        derives_minute: Whether an hourly number announced by the service sets that of the minute, to 5 %: true unless
            *windows* were given one by one. The minute is raised only if it was 5 % before.

    Raises:
        ConfigurationError: The limits contradict each other, or a number is out of range.

    Example::

        RateLimits(per_minute=100, per_hour=None).windows  # ((100, 60.0),)
    """

    windows: tuple[WindowSpec, ...]
    tokens_per_minute: int | None
    follow: bool
    tiers: bool
    share: float
    derives_minute: bool = attrs.field(eq=False)

    def __init__(
        self,
        per_minute: int | None = _PER_MINUTE,
        per_hour: int | None = _DOCUMENTED[1],
        *,
        windows: Iterable[WindowSpec] | None = None,
        tokens_per_minute: int | None = None,
        follow: bool = True,
        tiers: bool = False,
    ) -> None:
        derives_minute = windows is None
        if windows is None:
            if per_minute is _PER_MINUTE and isinstance(per_hour, int):
                per_minute = min(per_minute, max(1, per_hour))
            named = ((per_minute, _MINUTE), (per_hour, _HOUR))
            windows = [(count, period) for count, period in named if count is not None]
        elif (per_minute, per_hour) != _DOCUMENTED:
            raise ConfigurationError("give either windows, or per_minute and per_hour")
        if tokens_per_minute is not None:
            tokens_per_minute = _validate_count(tokens_per_minute, "tokens_per_minute")
        self._set_fields(validate_windows(windows), tokens_per_minute, follow, tiers, 1.0, derives_minute)

    def _set_fields(self, *values: object) -> None:
        for name, value in zip(attrs.fields_dict(RateLimits), values, strict=True):
            object.__setattr__(self, name, value)

    @property
    def per_minute(self) -> int | None:
        """The capacity of the 60 s window, None without one."""
        return self._find_capacity(_MINUTE)

    @property
    def per_hour(self) -> int | None:
        """The capacity of the 3,600 s window, None without one."""
        return self._find_capacity(_HOUR)

    def _find_capacity(self, seconds: float) -> int | None:
        return next((capacity for capacity, period in self.windows if period == seconds), None)

    def split(self, n: int) -> RateLimits:
        """Return the part of one of *n* processes that use the same key and do not share a limiter.

        Args:
            n: Number of processes.

        Raises:
            ConfigurationError: Each part would be less than one request, or less than one token.
        """
        parts = _validate_count(n, "split(n)")
        tokens = self.tokens_per_minute
        if min(capacity for capacity, _ in self.windows) < parts or (tokens or parts) < parts:
            raise ConfigurationError(
                f"{self!r} has less than one for each of {parts} processes: run fewer, or share one budget "
                "with gradient_async.limits.RedisLimiter"
            )
        windows = tuple((capacity // parts, period) for capacity, period in self.windows)
        part = RateLimits.__new__(RateLimits)
        share, derives_minute = self.share / parts, self.derives_minute
        part._set_fields(windows, tokens and tokens // parts, self.follow, self.tiers, share, derives_minute)
        return part

    def __repr__(self) -> str:
        names = {_MINUTE: "per_minute", _HOUR: "per_hour"}
        if all(period in names for _, period in self.windows):
            arguments = [f"{name}={self._find_capacity(period)}" for period, name in names.items()]
        else:
            arguments = [f"windows={list(self.windows)}"]
        if self.tokens_per_minute is not None:
            arguments.append(f"tokens_per_minute={self.tokens_per_minute}")
        if self.share != 1:
            arguments.append(f"share={self.share:.3g}")
        return f"RateLimits({', '.join(arguments)})"


def format_limit(capacity: int, period: float, unit: str = "") -> str:
    """Return a limit as text: ``250 in 60 s``, or with a *unit* ``750000 tokens in 60 s``."""
    return f"{capacity} {unit} in {period:g} s" if unit else f"{capacity} in {period:g} s"
