"""The gate of one map at the limiter: counts its waiting requests, and rejects them once the map stops.

Contract: a request that has its permit is never cancelled here. Everything else is the limiter's own behaviour.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import attrs

from gradient_async._io.deadline_timer import GroupedBlock, OpenBlock
from gradient_async._io.http.target import Target
from gradient_async._io.rate_limit.permit import Limiter, Permit
from gradient_async.errors import ConfigurationError


class MapStoppedError(Exception):
    """The map was stopped before this request was sent. It never leaves the map."""


class NoTargetError(Exception):
    """The session lacks the key or the address that every request of the map needs: *error*, which ends the map."""

    def __init__(self, error: ConfigurationError) -> None:
        super().__init__(error)
        self.error = error


def find_map_target(find_target: Callable[[], Target]) -> Target:
    """Return the target of a map.

    Raises:
        NoTargetError: The session has no key or no address for it.
    """
    try:
        return find_target()
    except ConfigurationError as error:
        raise NoTargetError(error) from None


@attrs.define(eq=False)
class LimiterGate:
    """Stands between the calls of one map and the limiter of their target.

    Attributes:
        limiter: The limiter; None before the first call, and without limits.
        model: The model of the last request that waited; None before the first.
    """

    limiter: Limiter | None = attrs.field(default=None, init=False)
    model: str | None = attrs.field(default=None, init=False)
    _target: Target | None = attrs.field(default=None, init=False)
    _guarded: Target | None = attrs.field(default=None, init=False)
    _waits: set[OpenBlock] = attrs.field(factory=set, init=False)
    _is_closed: bool = attrs.field(default=False, init=False)

    @property
    def waiting(self) -> int:
        """Number of requests that wait for a permit."""
        return len(self._waits)

    def guard_target(self, find_target: Callable[[], Target]) -> Target:
        """Return the target with this gate in front of its limiter.

        Raises:
            MapStoppedError: The gate is closed.
            NoTargetError: The session has no key or no address for it.
        """
        if self._is_closed:
            raise MapStoppedError
        target = find_map_target(find_target)
        if self._guarded is None or target is not self._target:
            self._target, self.limiter = target, target.limiter
            guarded = None if target.limiter is None else cast("Limiter", _GatedLimiter(target.limiter, self))
            self._guarded = target.with_limiter(guarded)
        return self._guarded

    def close(self) -> None:
        """Reject every request that waits, and all that come."""
        self._is_closed = True
        for wait in self._waits:
            wait.request_stop()

    async def acquire_permit(self, limiter: Limiter, *args: Any, model: str | None = None, **options: Any) -> Permit:
        """Acquire a permit of *limiter*.

        Raises:
            MapStoppedError: The gate was closed first.
        """
        if self._is_closed:
            raise MapStoppedError
        self.model = model
        with GroupedBlock(self._waits):
            return await limiter.acquire(*args, model=model, **options)
        raise MapStoppedError


class _GatedLimiter:
    """A limiter with a gate in front of its permits; every other method is that of the limiter."""

    def __init__(self, limiter: Limiter, gate: LimiterGate) -> None:
        self._limiter, self._gate = limiter, gate

    async def acquire(self, *args: Any, **options: Any) -> Permit:
        return await self._gate.acquire_permit(self._limiter, *args, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._limiter, name)
