"""Asynchronous invocations: models that need longer than a request lasts.

Source: ``POST /v1/async-invoke``, ``GET /v1/async-invoke/{request_id}`` and its ``/status``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Unpack

import attrs

from gradient_async._io.batch.poller import JobProgress
from gradient_async._io.http.pipeline import Pipeline
from gradient_async._io.http.target import Target
from gradient_async._protocol.batch.poll_schedule import Poll
from gradient_async._protocol.http.timeouts import Timeouts
from gradient_async._protocol.requests.async_invoke import (
    build_invocation_request,
    build_result_request,
    build_status_request,
    invocation_error,
    read_invocation,
)
from gradient_async._protocol.requests.request import Request
from gradient_async.models.invocation import AsyncInvocation
from gradient_async.params import InvocationParams

_POLL = Poll(first=1.0, longest=15.0)
_SHORTEST = 0.001
"""Seconds: a time limit has to be above 0."""


@attrs.frozen(eq=False, repr=False)
class AsyncInvoke:
    """``session.async_invoke``."""

    _pipeline: Pipeline
    _target: Callable[[], Target]
    _timeouts: Timeouts

    async def create(
        self, *, timeout: float | Timeouts | None = None, **params: Unpack[InvocationParams]
    ) -> AsyncInvocation:
        """Start an invocation and return it as it is then, most often ``QUEUED``.

        Args:
            timeout: Seconds for the whole call, or a `Timeouts` for every part of it.
            **params: The documented parameters; any other keyword goes into the body as it is.

        Raises:
            ConfigurationError: The call cannot work; nothing was sent.
            APIStatusError: The service refused; the class says how.
            APIConnectionError: No answer came.
            ProtocolError: The answer is no invocation.
        """
        return await self._send(build_invocation_request(params, timeouts=self._timeouts.override_with(timeout)))

    async def status(self, request_id: str, *, timeout: float | Timeouts | None = None) -> AsyncInvocation:
        """Return the invocation as it is now, without its output.

        Raises:
            APIStatusError: The service refused; the class says how.
            APIConnectionError: No answer came.
        """
        return await self._send(build_status_request(request_id, timeouts=self._timeouts.override_with(timeout)))

    async def result(self, request_id: str, *, timeout: float | Timeouts | None = None) -> AsyncInvocation:
        """Return the invocation as it is now, with its output if it has completed.

        Raises:
            APIStatusError: The service refused; the class says how.
            APIConnectionError: No answer came.
        """
        return await self._send(build_result_request(request_id, timeouts=self._timeouts.override_with(timeout)))

    async def wait(
        self, request_id: str, *, timeout: float | None = None, poll: Poll = _POLL, check: bool = True
    ) -> AsyncInvocation:
        """Return the invocation with its output when it has ended.

        Args:
            request_id: The id that `create` returned.
            timeout: Seconds in all; None for any time.
            poll: How often to look; the wait between two looks grows with the age of the invocation.
            check: Whether an end other than ``COMPLETED`` is an error.

        Raises:
            InvocationFailedError: It invocation_error; the message says why, if the service does.
            APITimeoutError: It has not ended in time; it goes on at the service.
            APIStatusError: The service refuses to say anything about it.
        """
        progress = JobProgress(partial(self._look, request_id), poll, timeout, what="invocation")
        *_, invocation = [seen async for seen in progress]
        if check and not invocation.is_completed:
            raise invocation_error(invocation)
        return invocation

    async def _look(self, request_id: str, left: float | None) -> AsyncInvocation:
        """Return the invocation, with its output if it has ended, within the seconds that are *left*."""
        clock = asyncio.get_running_loop().time
        began = clock()
        timeouts = self._timeouts.override_with(left)
        seen = await self._send(build_status_request(request_id, timeouts=timeouts, priority="bulk"))
        if not seen.is_terminal:
            return seen
        rest = None if left is None else max(left - (clock() - began), _SHORTEST)
        timeouts = self._timeouts.override_with(rest)
        return await self._send(build_result_request(request_id, timeouts=timeouts, priority="bulk"))

    async def _send(self, request: Request) -> AsyncInvocation:
        return await self._pipeline.send_and_decode(request, self._target(), read_invocation)
