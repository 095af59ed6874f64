"""Looks at a job until it has ended.

Contract: gives out what is news, and nothing twice. What may pass is waited out; what cannot is raised at once. No
time limit is open while the consumer's own code runs.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Awaitable, Callable
from typing import Generic, Self, TypeVar

from gradient_async._io.http.hooks import logger
from gradient_async._protocol.batch.poll_schedule import Poll, PollableJob, PollSchedule, snapshot_key
from gradient_async.errors import APITimeoutError, ConfigurationError, GradientError

J = TypeVar("J", bound=PollableJob)


class JobProgress(Generic[J]):
    """The job each time that it has changed, up to its end; an async iterator.

    Args:
        look: Returns the job as it is now, within so many seconds; None for any time.
        poll: How often to look.
        timeout: Seconds in all; None for any time.
        what: What the job is called in an error.

    Raises:
        ConfigurationError: The timeout is no number.
        APITimeoutError: The time was over before the job's end; the job goes on at the service.
        APIStatusError: The service refuses to say anything about the job.
    """

    def __init__(
        self,
        look: Callable[[float | None], Awaitable[J]],
        poll: Poll,
        timeout: float | None = None,
        *,
        what: str = "batch",
    ) -> None:
        if not isinstance(timeout, int | float | None):
            raise ConfigurationError(
                f"timeout is a number of seconds for all looks together; got a {type(timeout).__name__}."
            )
        self._look, self._poll, self._what = look, poll, what
        self._timeout = math.inf if timeout is None else timeout
        self._schedule: PollSchedule | None = None
        self._deadline = math.inf
        self._next = 0.0
        self._news: tuple[object, ...] | None = None
        self._ended = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> J:
        while not self._ended:
            job = await self._next_look()
            if job is None:
                continue
            self._ended = job.is_terminal
            if (news := snapshot_key(job)) != self._news:
                self._news = news
                return job
        raise StopAsyncIteration

    async def _next_look(self) -> J | None:
        """Wait until it is time, and look; None if that failed in passing."""
        loop = asyncio.get_running_loop()
        schedule = self._begin(loop.time())
        await asyncio.sleep(max(min(self._next, self._deadline) - loop.time(), 0.0))
        left = self._deadline - loop.time()
        if left <= 0:
            raise APITimeoutError(_TOO_LATE.format(self._what), phase="total", maybe_sent=True)
        try:
            job = await self._look(None if math.isinf(left) else left)
        except GradientError as error:
            delay = schedule.next_delay_after_error(error, chance=_draw_jitter())
            if delay is None:
                raise
            logger.info("looking at the %s failed, next look in %.1f s: %s", self._what, delay, error)
            self._next = loop.time() + delay
            return None
        self._next = loop.time() + schedule.next_delay(job, now=loop.time(), chance=_draw_jitter())
        return job

    def _begin(self, now: float) -> PollSchedule:
        if self._schedule is None:
            self._schedule = PollSchedule(self._poll, now)
            self._deadline, self._next = now + self._timeout, now
        return self._schedule


_TOO_LATE = "The {} has not ended within the time; it goes on at the service, and can be waited for again."


def _draw_jitter() -> float:
    return random.random()  # noqa: S311 - jitter, no secret
