"""Looks at a job until it has ended.

Contract: gives out what is news, and nothing twice. What may pass is waited out; what cannot is raised at once. No
time limit is open while the consumer's own code runs.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Awaitable, Callable
from typing import Self

from gradient_async._io.log import logger
from gradient_async._protocol.batch_poll import Poll, PollSchedule, seen
from gradient_async.errors import APITimeoutError, GradientError
from gradient_async.models.batch import Batch


class JobProgress:
    """The job each time that it has changed, up to its end; an async iterator.

    Raises:
        APITimeoutError: The time was over before the job's end; the job goes on at the service.
        APIStatusError: The service refuses to say anything about the job.
    """

    def __init__(
        self, look: Callable[[float | None], Awaitable[Batch]], poll: Poll, timeout: float | None = None
    ) -> None:
        self._look, self._poll = look, poll
        self._timeout = math.inf if timeout is None else timeout
        self._schedule: PollSchedule | None = None
        self._deadline = math.inf
        self._next = 0.0
        self._news: tuple[object, ...] | None = None
        self._ended = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Batch:
        while not self._ended:
            batch = await self._next_look()
            if batch is None:
                continue
            self._ended = batch.is_terminal
            if (news := seen(batch)) != self._news:
                self._news = news
                return batch
        raise StopAsyncIteration

    async def _next_look(self) -> Batch | None:
        """Wait until it is time, and look; None if that failed in passing."""
        loop = asyncio.get_running_loop()
        schedule = self._begin(loop.time())
        await asyncio.sleep(max(min(self._next, self._deadline) - loop.time(), 0.0))
        left = self._deadline - loop.time()
        if left <= 0:
            raise APITimeoutError(_TOO_LATE, phase="total", maybe_sent=True)
        try:
            batch = await self._look(None if math.isinf(left) else left)
        except GradientError as error:
            delay = schedule.after_error(error, chance=_chance())
            if delay is None:
                raise
            logger.info("looking at the batch failed, next look in %.1f s: %s", delay, error)
            self._next = loop.time() + delay
            return None
        self._next = loop.time() + schedule.after(batch, now=loop.time(), chance=_chance())
        return batch

    def _begin(self, now: float) -> PollSchedule:
        if self._schedule is None:
            self._schedule = PollSchedule(self._poll, now)
            self._deadline, self._next = now + self._timeout, now
        return self._schedule


_TOO_LATE = "The batch has not ended within the time; it goes on at the service, and can be waited for again."


def _chance() -> float:
    return random.random()  # noqa: S311 - jitter, no secret
