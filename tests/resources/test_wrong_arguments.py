"""Arguments of a wrong type or out of range: refused where they are given, by name, before anything is sent."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from gradient_async import (
    AsyncSession,
    BatchLimits,
    ConfigurationError,
    Poll,
    RateLimiter,
    RateLimits,
    RetryPolicy,
    RollingTokenBucket,
    Timeouts,
)
from gradient_async.limits import RedisLimiter
from gradient_async.testing import Emulator

NO_COUNTS: list[Any] = ["10", 2.5, 0, -1, True, math.inf, math.nan, [1]]
NO_SECONDS: list[Any] = ["1", None, -1, True, math.nan, [1]]
SESSION = AsyncSession("k")
CHAT = SESSION.chat.completions
CALL: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
LINE = b'{"custom_id": "a", "body": {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}}\n'

VALUES: list[tuple[str, Callable[[Any], object], list[Any]]] = [
    ("max_connections", lambda value: AsyncSession(max_connections=value), NO_COUNTS),
    ("max_event_bytes", lambda value: AsyncSession(max_event_bytes=value), [*NO_COUNTS, None]),
    ("hooks", lambda value: AsyncSession(hooks=value), [5, print, None]),
    ("client_session", lambda value: AsyncSession(client_session=value), [5, "x", AsyncSession]),
    ("hooks", lambda value: SESSION.with_options(hooks=value), [5, print]),
    ("attempts", lambda value: RetryPolicy(attempts=value), [*NO_COUNTS, None]),
    ("budget", lambda value: RetryPolicy(budget=value), ["10", 2.5, -1, True, math.inf, None]),
    ("first", lambda value: RetryPolicy(first=value), NO_SECONDS),
    ("longest", lambda value: RetryPolicy(longest=value), NO_SECONDS),
    ("total", lambda value: Timeouts(total=value), ["1", 0, -1, True, math.nan]),
    ("first", lambda value: Poll(first=value), NO_SECONDS),
    ("longest", lambda value: Poll(longest=value), [*NO_SECONDS, math.inf]),
    ("requests", lambda value: BatchLimits(requests=value), [*NO_COUNTS, None]),
    ("size", lambda value: BatchLimits(size=value), [*NO_COUNTS, None]),
    ("windows", lambda value: RateLimits(windows=value), [5, "x", [5], [(1,)], [(1, 60, 3)], {60: 5}]),
    ("windows", RollingTokenBucket, [5, None]),
    ("limits", RateLimiter, [5, None, {"per_minute": 3}]),
    ("limits", lambda value: RedisLimiter("redis://localhost", limits=value), [5, None]),
    ("guard", lambda value: RateLimiter(guard=value), NO_SECONDS),
    ("concurrency", lambda value: CHAT.map(["a"], concurrency=value), [*NO_COUNTS, None]),
    ("stop_after", lambda value: SESSION.embeddings.map(["a"], model="m", stop_after=value), NO_COUNTS),
    ("on_progress", lambda value: CHAT.map(["a"], on_progress=value), [5, "x"]),
    ("Timeouts", lambda value: CHAT.map(["a"], timeout=value), ["1", 0, math.nan]),
    ("Timeouts", lambda value: SESSION.embeddings.map(["a"], model="m", timeout=value), ["1", 0, math.nan]),
    ("texts_per_request", lambda value: SESSION.embeddings.map(["a"], model="m", texts_per_request=value), NO_COUNTS),
    ("template", lambda value: CHAT.map(["a"], template=value), [5, [], {}]),
    ("columns", lambda value: CHAT.map(["a"], columns=value), [5, [5], "ab", []]),
    ("batch_id", lambda value: SESSION.batches.job(value), [5, None, [], [5], b"x"]),
]
"""A part of the error, a function that takes a value, and values that it refuses."""

CALLS: list[tuple[str, Callable[[AsyncSession, Any], Awaitable[object]], list[Any]]] = [
    ("max_rounds", lambda session, value: run_tools(session, max_rounds=value), [*NO_COUNTS, None]),
    ("concurrency", lambda session, value: run_tools(session, concurrency=value), [*NO_COUNTS, None]),
    ("tools", lambda session, value: run_tools(session, tools=value), [5, None, print]),
    ("endpoint", lambda session, value: session.batches.submit(LINE, endpoint=value), [5]),
    ("file_name", lambda session, value: session.batches.submit(LINE, file_name=value), [5]),
    ("metadata", lambda session, value: session.batches.submit(LINE, metadata=value), [5, "x"]),
    ("params", lambda session, value: session.batches.submit(LINE, params=value), [5, "x"]),
    ("limits", lambda session, value: session.batches.submit(LINE, limits=value), [5, None]),
    ("Content-Type", lambda session, value: session.batches.submit(LINE, content_type=value), [5, "a\nb"]),
    ("on_step", lambda session, value: session.batches.submit(LINE, on_step=value), [5]),
    ("journal", lambda session, value: session.batches.submit(LINE, journal=value), [5, ""]),
    ("columns", lambda session, value: session.batches.submit(LINE, columns=value), [5, [5]]),
    ("poll", lambda session, value: session.batches.job("b").wait(poll=value), [5, None, 2.0]),
    ("digits", lambda session, value: session.chat.completions.create(**CALL, seed=value), [10**5000]),
]
"""The same for calls that are awaited."""


def run_tools(session: AsyncSession, **options: Any) -> Awaitable[object]:
    return session.chat.completions.run_tools(**{"tools": [tell_time], **CALL, **options})


def tell_time() -> str:
    return "noon"


@pytest.mark.parametrize(("part", "use", "values"), VALUES)
def test_an_invalid_value_is_refused_with_the_name_of_its_argument(
    part: str, use: Callable[[Any], object], values: list[Any]
) -> None:
    for value in values:
        with pytest.raises(ConfigurationError, match=part):
            use(value)


@pytest.mark.parametrize(("part", "call", "values"), CALLS)
async def test_an_invalid_argument_of_a_call_sends_nothing(
    part: str,
    call: Callable[[AsyncSession, Any], Awaitable[object]],
    values: list[Any],
    gradient_session: AsyncSession,
    gradient_emulator: Emulator,
) -> None:
    for value in values:
        with pytest.raises(ConfigurationError, match=part):
            await call(gradient_session, value)
    assert not gradient_emulator.requests
