"""Polls a job until it has ended.

Contract: yields each change of the job once. Transient errors are waited out, final ones raised at once. No time
limit is running while the consumer's own code runs.

`gradient_async._protocol.batch.poll_schedule` decides the delays and which errors are transient.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Awaitable, Callable
from typing import Generic, Self, TypeVar

from gradient_async._io.deadline_timer import get_loop
from gradient_async._io.http.hooks import format_error, logger
from gradient_async._protocol.batch.poll_schedule import Poll, PollableJob, PollSchedule, snapshot_key
from gradient_async.errors import APITimeoutError, ConfigurationError, GradientError, quote_argument

J = TypeVar("J", bound=PollableJob)


class JobProgress(Generic[J]):
    """An async iterator over the states of a job: the first one, each change, and the final one.

    Args:
        fetch: Returns the job as it is now. Its argument is a time limit in seconds; None for no limit.
        poll: Bounds of the delay between two polls.
        timeout: Seconds for all polls together; None for no limit.
        subject: Name of the job in errors and in the log.
        count_requests: Returns the number of requests of the last poll; None if each poll is one.

    Raises:
        ConfigurationError: *timeout* is not a number, or *poll* not a `Poll`.
        APITimeoutError: The job did not end within *timeout*; it continues at the service.
        APIStatusError: The service refused a poll with an error that is not transient.
    """

    def __init__(
        self,
        fetch: Callable[[float | None], Awaitable[J]],
        poll: Poll,
        timeout: float | None = None,
        *,
        subject: str = "batch",
        count_requests: Callable[[], int] | None = None,
    ) -> None:
        if not isinstance(timeout, int | float | None):
            raise ConfigurationError(
                f"timeout is a number of seconds for all polls together; got a {type(timeout).__name__}."
            )
        if not isinstance(poll, Poll):
            raise ConfigurationError(
                f"poll= must be Poll, as Poll(first=2.0, longest=60.0); got {quote_argument(poll)}."
            )
        self._fetch, self._poll, self._subject = fetch, poll, subject
        self._count_requests = count_requests or (lambda: 1)
        self._timeout = math.inf if timeout is None else timeout
        self._schedule: PollSchedule | None = None
        self._deadline = math.inf
        self._next_poll = 0.0
        self._last_key: tuple[object, ...] | None = None
        self._ended = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> J:
        while not self._ended:
            job = await self._poll_once()
            if job is None:
                continue
            self._ended = job.is_terminal
            if (key := snapshot_key(job)) != self._last_key:
                self._last_key = key
                return job
        raise StopAsyncIteration

    async def _poll_once(self) -> J | None:
        """Wait until the next poll is due and return the job; None after a transient error."""
        loop = get_loop()
        schedule = self._start_schedule(loop.time())
        await asyncio.sleep(max(min(self._next_poll, self._deadline) - loop.time(), 0.0))
        remaining = self._deadline - loop.time()
        if remaining <= 0:
            raise APITimeoutError(
                f"The {self._subject} has not ended within the timeout; it goes on at the service, wait for it again.",
                phase="total",
                maybe_sent=True,
            )
        try:
            job = await self._fetch(None if math.isinf(remaining) else remaining)
        except GradientError as error:
            delay = schedule.next_delay_after_error(error, chance=_draw_jitter())
            if delay is None:
                raise
            logger.info("polling the %s failed (%s), next poll in %.1f s", self._subject, format_error(error), delay)
            self._next_poll = loop.time() + delay
            return None
        now, requests = loop.time(), self._count_requests()
        self._next_poll = now + schedule.next_delay(job, now=now, chance=_draw_jitter(), requests=requests)
        return job

    def _start_schedule(self, now: float) -> PollSchedule:
        """Return the schedule; the first call starts it and the timeout at *now*."""
        if self._schedule is None:
            self._schedule = PollSchedule(self._poll, now)
            self._deadline, self._next_poll = now + self._timeout, now
        return self._schedule


async def poll_to_end(
    fetch: Callable[[float | None], Awaitable[J]], poll: Poll, timeout: float | None, *, subject: str
) -> J:
    """Poll a job until it has ended, and return its final state.

    Arguments and errors are those of `JobProgress`.
    """
    *_, job = [state async for state in JobProgress(fetch, poll, timeout, subject=subject)]
    return job


def _draw_jitter() -> float:
    return random.random()  # noqa: S311 - jitter, not a secret
