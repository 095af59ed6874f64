"""`RedisStore`: the four scripts, called over one client.

Contract: a call that fails for whatever reason of the network or of Redis raises `StoreDown`, nothing else.
Times are in seconds.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

import attrs

from gradient_async.errors import ConfigurationError
from gradient_async.limits.redis import lua_scripts as scripts

__all__ = ["Answer", "RedisStore", "StoreDown"]

_MICRO = 1_000_000
_LEASE = 60.0
"""Seconds after which a held permit of a process that died starts to count as sent."""
_CHUNK = 500

Span = tuple[int, float]


class StoreDown(Exception):  # noqa: N818  it never leaves this package
    """Redis did not answer, or not with an answer."""


@attrs.frozen(kw_only=True)
class Answer:
    """What Redis granted.

    Attributes:
        members: The names of the granted permits.
        wait: Seconds until the next one may be granted, 0.0 if that is now.
        generation: Changes when Redis lost what it counted.
        used: Per window: tokens taken, and how many of them by others.
    """

    members: list[str]
    wait: float
    generation: str
    used: list[tuple[int, int]]


class RedisStore:
    """One budget in Redis.

    Args:
        url: ``redis://``, ``rediss://`` or ``unix://``.
        key: What the budget is called.
        timeout: Seconds that one call may take.
        longest: Seconds after which nothing counts any more.

    Raises:
        ConfigurationError: The extra is not installed, or the address cannot be one.
    """

    def __init__(self, url: str, *, key: str, timeout: float, longest: float) -> None:
        try:
            import redis.asyncio as redis  # an extra: imported when it is asked for
            from redis import exceptions
            from redis.asyncio.retry import Retry
            from redis.backoff import NoBackoff
        except ImportError:
            raise ConfigurationError("RedisLimiter needs an extra: pip install gradient-async[redis]") from None
        # A connection that was closed is no outage: the scripts may run twice, a permit has one name in both.
        again = Retry(NoBackoff(), 1, supported_errors=(exceptions.ConnectionError,))
        try:
            self._client = redis.Redis.from_url(
                url, socket_timeout=timeout, socket_connect_timeout=timeout, retry=again
            )
        except ValueError:
            # The address may hold a password: neither the message nor the cause shows it.
            raise ConfigurationError("url is no Redis address: give redis://host:port/0") from None
        self._failures = (exceptions.RedisError, OSError, TimeoutError)
        self._keys = [f"{{{key}}}:{part}" for part in ("stamps", "pause", "others", "generation")]
        self._expiry = int((longest + _LEASE) * 1000) + 1000
        names = ("ASK", "SETTLE", "PAUSE", "BLAME")
        self._scripts = {name: self._client.register_script(getattr(scripts, name)) for name in names}

    async def ask(self, count: int, *, windows: Sequence[Span], generation: str | None) -> Answer:
        """Hold up to *count* tokens of every window, as many as are free; none if *generation* is over."""
        prefix = secrets.token_hex(6) + ":"
        lease = int(_LEASE * _MICRO)
        spans = [number for capacity, span in windows for number in (capacity, int(span * _MICRO))]
        reply = await self._call(
            "ASK", count, prefix, lease, secrets.token_hex(6), self._expiry, generation or "", *spans
        )
        try:
            return _answer(reply, prefix, len(windows))
        except (TypeError, ValueError):
            raise StoreDown("its answer is not the script's") from None

    async def settle(self, ages: dict[str, float | None]) -> None:
        """Let permits count from *ages* seconds ago; None gives one back."""
        pairs = [(name, -1 if age is None else max(0, int(age * _MICRO))) for name, age in ages.items()]
        for at in range(0, len(pairs), _CHUNK):
            await self._call("SETTLE", self._expiry, *(part for pair in pairs[at : at + _CHUNK] for part in pair))

    async def pause(self, seconds: float, *, window: int = 0, capacity: int = 0, span: float = 0.0) -> None:
        """Stop everybody for *seconds*; believe that *window*, counted from 1, is full until then."""
        await self._call("PAUSE", int(seconds * _MICRO), window, capacity, int(span * _MICRO))

    async def blame(self, window: int, counted: int, *, age: float, reset: float, span: float, period: float) -> None:
        """Count as taken by others what the service *counted* and is not among the stamps."""
        times = [int(seconds * _MICRO) for seconds in (age, reset, span, period)]
        await self._call("BLAME", window, counted, *times)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _call(self, name: str, *args: str | int) -> Any:
        try:
            return await self._scripts[name](keys=self._keys, args=args)
        except self._failures as error:
            # The text of an error may name the address: only its class is passed on.
            raise StoreDown(type(error).__name__) from None


def _answer(reply: Any, prefix: str, windows: int) -> Answer:
    """Read what the script that grants returned; what only looks like Redis returns something else."""
    granted, wait, current, *used = reply
    if len(used) != 2 * windows:
        raise ValueError
    return Answer(
        members=[f"{prefix}{n + 1}" for n in range(granted)],
        wait=wait / _MICRO,
        generation=current.decode() if isinstance(current, bytes) else current,
        used=list(zip(used[::2], used[1::2], strict=True)),
    )
