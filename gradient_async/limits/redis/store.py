"""`RedisStore`: one shared budget in Redis, as calls of the Lua scripts.

Contract: a call that fails for any reason of the network or of Redis raises `RedisUnavailable`, nothing else.
Times are in seconds.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from gradient_async.errors import ConfigurationError
from gradient_async.limits.redis import lua_scripts

__all__ = ["Grant", "RedisStore", "RedisUnavailable"]

_MICROSECONDS = 1_000_000
_LEASE = 60.0
"""Seconds after which a held permit of a process that died starts to count as sent."""
_PERMITS_PER_CALL = 500

Span = tuple[int, float]
"""Capacity of a window in requests, and its length in seconds with the guard."""


class RedisUnavailable(Exception):  # noqa: N818  it never leaves this package
    """Redis did not reply, or not with the reply of our script."""


@attrs.frozen(kw_only=True)
class Grant:
    """Permits that Redis granted.

    Attributes:
        names: The names of the granted permits.
        wait: Seconds until the next one may be granted, 0.0 if it may be now.
        generation: Token that changes when Redis lost its data.
        usage: Per window: tokens used, and the part of them used by others.
    """

    names: list[str]
    wait: float
    generation: str
    usage: list[tuple[int, int]]


class RedisStore:
    """One budget in Redis.

    Args:
        url: ``redis://``, ``rediss://`` or ``unix://``.
        key: Name of the budget, a prefix of its keys.
        timeout: Seconds that one call may take.
        longest_span: Seconds after which no permit counts any more.

    Raises:
        ConfigurationError: The extra is not installed, or the address is invalid.
    """

    def __init__(self, url: str, *, key: str, timeout: float, longest_span: float) -> None:
        try:
            import redis.asyncio as redis  # an extra, imported on first use
            from redis import exceptions
            from redis.asyncio.retry import Retry
            from redis.backoff import NoBackoff
        except ImportError:
            raise ConfigurationError("RedisLimiter needs an extra: pip install gradient-async[redis]") from None
        # Retry once when a pooled connection was closed. Scripts may run twice: permits have the same names in both.
        retry = Retry(NoBackoff(), 1, supported_errors=(exceptions.ConnectionError,))
        try:
            self._client = redis.Redis.from_url(
                url, socket_timeout=timeout, socket_connect_timeout=timeout, retry=retry
            )
        except ValueError:
            # The address may hold a password: keep it out of the message and of the cause.
            raise ConfigurationError("url is not a Redis address: give redis://host:port/0") from None
        self._failures = (exceptions.RedisError, OSError, TimeoutError)
        # "stamps" holds the sent times, "others" the foreign usage: names on the wire, shared by all versions.
        self._keys = [f"{{{key}}}:{part}" for part in ("stamps", "pause", "others", "generation")]
        self._expiry = int((longest_span + _LEASE) * 1000) + 1000
        names = ("REQUEST_PERMITS", "SETTLE_PERMITS", "PAUSE", "UPDATE_FOREIGN_USAGE")
        self._scripts = {name: self._client.register_script(getattr(lua_scripts, name)) for name in names}

    async def request_permits(self, count: int, *, windows: Sequence[Span], generation: str | None) -> Grant:
        """Reserve up to *count* tokens, as many as are free in every window; none if *generation* is outdated."""
        prefix = secrets.token_hex(6) + ":"
        lease = int(_LEASE * _MICROSECONDS)
        spans = [number for capacity, span in windows for number in (capacity, int(span * _MICROSECONDS))]
        reply = await self._run_script(
            "REQUEST_PERMITS", count, prefix, lease, secrets.token_hex(6), self._expiry, generation or "", *spans
        )
        try:
            return _parse_grant(reply, prefix, len(windows))
        except (TypeError, ValueError):
            raise RedisUnavailable("the reply is not the script's") from None

    async def settle_permits(self, ages: Mapping[str, float | None]) -> None:
        """Count each named permit from its age, seconds before now; remove it if the age is None."""
        pairs = [(name, -1 if age is None else max(0, int(age * _MICROSECONDS))) for name, age in ages.items()]
        for at in range(0, len(pairs), _PERMITS_PER_CALL):
            arguments = (part for pair in pairs[at : at + _PERMITS_PER_CALL] for part in pair)
            await self._run_script("SETTLE_PERMITS", self._expiry, *arguments)

    async def pause(self, seconds: float, *, window: int = 0, capacity: int = 0, span: float = 0.0) -> None:
        """Pause all processes; mark *window* (1-based, 0 for none) full until the pause ends."""
        await self._run_script("PAUSE", int(seconds * _MICROSECONDS), window, capacity, int(span * _MICROSECONDS))

    async def update_foreign_usage(
        self, window: int, counted: int, *, age: float, reset: float, span: float, period: float
    ) -> None:
        """Set the foreign usage of *window* (1-based) to the requests *counted* by the service but not sent by us.

        Args:
            window: Number of the window.
            counted: Requests that the service counted.
            age: Seconds since the request was sent.
            reset: Seconds until the oldest request that the service counts expires, 0.0 if unknown.
            span: Length of the window with the guard.
            period: Length of the window without the guard.
        """
        times = [int(seconds * _MICROSECONDS) for seconds in (age, reset, span, period)]
        await self._run_script("UPDATE_FOREIGN_USAGE", window, counted, *times)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _run_script(self, name: str, *args: str | int) -> Any:
        try:
            return await self._scripts[name](keys=self._keys, args=args)
        except self._failures as error:
            # The text of an error may contain the address: pass on only its class.
            raise RedisUnavailable(type(error).__name__) from None


def _parse_grant(reply: Any, prefix: str, windows: int) -> Grant:
    """Parse the reply of the script; raise `TypeError` or `ValueError` if it is something else."""
    granted, wait, generation, *usage = reply
    if len(usage) != 2 * windows:
        raise ValueError
    return Grant(
        names=[f"{prefix}{n + 1}" for n in range(granted)],
        wait=wait / _MICROSECONDS,
        generation=generation.decode() if isinstance(generation, bytes) else generation,
        usage=list(zip(usage[::2], usage[1::2], strict=True)),
    )
