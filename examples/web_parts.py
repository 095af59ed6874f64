"""What the web examples share: the session of a worker, and the HTTP response to an error.

Workers with a budget of their own exceed that of the key together. With REDIS_URL all of them share one, on any number
of machines: ``REDIS_URL=redis://localhost uvicorn --app-dir examples --workers 4 fastapi_app:app``.
"""

import math
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gradient_async import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AsyncSession,
    GradientError,
    RateLimiter,
    SessionClosedError,
    Timeouts,
)
from gradient_async.limits import RedisLimiter

MODEL = "llama3.3-70b-instruct"
STREAM_HEADERS = {"X-Accel-Buffering": "no"}
"""Without it, nginx holds a stream back until its end."""
TIMEOUT = 120.0
"""Seconds for which a caller waits: for the limiter, attempts and a whole response."""
PASSED_STATUSES = (400, 413, 422, 429, 503)
"""Of the service; any other refusal is no fault of the caller, as that of our key."""


@asynccontextmanager
async def open_session() -> AsyncIterator[AsyncSession]:
    """Open the session of this worker, with a budget of its own or that of all workers, and close it in the end."""
    address = os.environ.get("REDIS_URL")
    limiter = RateLimiter() if address is None else RedisLimiter(address)
    try:
        async with AsyncSession(limits=limiter, timeouts=Timeouts(total=TIMEOUT)) as session:
            yield session
    finally:
        await limiter.aclose()


def describe_error(error: GradientError, session: AsyncSession) -> tuple[int, dict[str, str], dict[str, str | None]]:
    """Return the status, the headers and the JSON of the response to a call of *session* that failed with *error*."""
    status, request_id, message, wait = choose_status(error), None, "the model did not respond", 0.0
    if isinstance(error, APIStatusError):
        request_id, wait = error.request_id, error.retry_after or 0.0
        message = error.message if status in PASSED_STATUSES else "the model refused this service"
    if session.limits is not None:
        wait = max(wait, session.limits.estimate())
    headers = {"Retry-After": str(max(1, math.ceil(wait)))} if status in (429, 503) else {}
    return status, headers, {"message": message, "request_id": request_id}


def choose_status(error: GradientError) -> int:
    """Return the HTTP status that tells a caller what to do."""
    if isinstance(error, APIStatusError):
        return error.status if error.status in PASSED_STATUSES else 502
    if isinstance(error, APITimeoutError):
        return 429 if error.phase == "limiter" else 504
    if isinstance(error, SessionClosedError):
        return 503
    return 502 if isinstance(error, APIConnectionError) else 500
