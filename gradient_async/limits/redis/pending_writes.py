"""`PendingWrites`: the writes to one budget that the next exchange takes along.

Contract: pure; times are in seconds on the loop's clock. Nothing is lost: writes of an exchange that failed are put
back, unless newer ones replace them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import attrs

from gradient_async.limits.redis.local_usage import CountedPermit, LocalUsage
from gradient_async.limits.redis.lua_script import MAX_INTERVAL
from gradient_async.limits.redis.messages import BudgetTerms

__all__ = ["PendingWrites"]

_MAX_OUTCOMES = 500
"""Outcomes of one exchange."""
_OUTAGE_PAUSE = 0.5
"""Seconds that other processes get to write the permits that they granted without Redis."""
_LOSS_PAUSE = MAX_INTERVAL + 0.25
"""Seconds in which every process notices that Redis lost its permits, and writes them again."""

Count = tuple[int, float, float, float]
"""The service's count, the sent time of the request it answered, the reset, and the window's length."""


@attrs.define
class PendingWrites:
    """Writes of one budget.

    Attributes:
        outcomes: Per permit from when it counts, None if it was refunded.
        pause_until: End of a pause of all processes.
        pause_window: Number of the window that is full until then, 0 for none.
        released: Assumed usage to drop, by the number of the window.
        counted: The latest count of the service.
        has_floors: Whether the usage that this process saw last is to be written.
        is_replay: Whether outcomes that Redis lost are among the writes: until they are written, nothing is granted.
    """

    outcomes: dict[str, CountedPermit | None] = attrs.field(factory=dict)
    pause_until: float = -math.inf
    pause_window: int = 0
    released: dict[int, int] = attrs.field(factory=dict)
    counted: Count | None = None
    has_floors: bool = False
    is_replay: bool = False

    def __bool__(self) -> bool:
        has_counts = self.counted is not None or bool(self.released)
        return bool(self.outcomes) or self.pause_until > -math.inf or has_counts or self.is_replay

    def add_pause(self, until: float, *, window: int = 0) -> None:
        """Pause all processes up to *until*, and treat *window* as full until then."""
        if until > self.pause_until:
            self.pause_until = until
            self.pause_window = window or self.pause_window

    def add_release(self, window: int, count: int) -> None:
        """Drop *count* requests of the usage that was assumed in *window*."""
        self.released[window] = self.released.get(window, 0) + count

    def refund_all(self, names: Iterable[str]) -> None:
        """Give back the permits *names*."""
        self.outcomes.update(dict.fromkeys(names))

    def add_replay(self, usage: LocalUsage, now: float, *, is_lost: bool) -> None:
        """Write every permit of *usage* again, during a pause in which every process does the same.

        Those that have expired are among them, because Redis may date them later if its clock went back.

        Args:
            usage: The permits of this process, and the usage that it saw.
            now: The time of the loop's clock.
            is_lost: Whether Redis lost or misdates data, so that the usage that was seen counts too.
        """
        refunded = dict.fromkeys(name for name, permit in self.outcomes.items() if permit is None)
        self.outcomes = usage.list_permits() | refunded
        self.has_floors, self.is_replay = is_lost, True
        pause_end = usage.full_bucket.paused_until  # a pause may be that of another process that noticed before
        self.add_pause(pause_end if pause_end > now else now + (_LOSS_PAUSE if is_lost else _OUTAGE_PAUSE))

    def take(self) -> PendingWrites:
        """Remove and return the writes of the next exchange: all, or as many outcomes as fit into one."""
        if not self:
            return _NO_WRITES
        names = list(self.outcomes)[:_MAX_OUTCOMES]
        taken = attrs.evolve(self, outcomes={name: self.outcomes.pop(name) for name in names})
        self.pause_until, self.pause_window, self.counted, self.released = -math.inf, 0, None, {}
        self.has_floors, self.is_replay = False, self.is_replay and bool(self.outcomes)
        return taken

    def restore(self, taken: PendingWrites) -> None:
        """Put back the writes of an exchange that failed."""
        self.outcomes = taken.outcomes | self.outcomes
        self.add_pause(taken.pause_until, window=taken.pause_window)
        self.counted = self.counted or taken.counted
        for window, count in taken.released.items():
            self.add_release(window, count)
        self.has_floors |= taken.has_floors
        self.is_replay |= taken.is_replay

    def build_terms(self, key: str, usage: LocalUsage, *, demand: int, now: float) -> BudgetTerms:
        """Return the part of an exchange about the budget *key* that makes these writes."""
        tokens = None if usage.tokens is None else (usage.tokens.record.capacity, usage.tokens.span)
        if self is _NO_WRITES:
            return BudgetTerms(key=key, windows=usage.spans, answered=usage.answered, demand=demand, tokens=tokens)
        count = self.counted
        counted = [(name, permit) for name, permit in self.outcomes.items() if permit is not None]
        return BudgetTerms(
            key=key,
            windows=usage.spans,
            answered=usage.answered,
            demand=demand,
            tokens=tokens,
            spent={} if tokens is None else {name: permit.tokens for name, permit in counted},
            sent={name: now - permit.at for name, permit in counted if not permit.is_held},
            held={name: now - permit.at for name, permit in counted if permit.is_held},
            refunded=[name for name, permit in self.outcomes.items() if permit is None],
            floors=usage.list_floors(now) if self.has_floors else (),
            pause=(self.pause_until - now, self.pause_window) if self.pause_until > now else (0.0, 0),
            released=self.released,
            counted=None if count is None else (count[0], now - count[1], max(0.0, count[2] - now), count[3]),
        )


_NO_WRITES = PendingWrites()
