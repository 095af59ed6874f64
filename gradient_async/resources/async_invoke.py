"""Asynchronous invocations: models whose work takes longer than one request may last.

Source: ``POST /v1/async-invoke``, ``GET /v1/async-invoke/{request_id}`` and its ``/status``.
"""

from __future__ import annotations

import math
from collections.abc import Coroutine
from functools import partial
from typing import Any, Unpack

from gradient_async._io.batch.poller import poll_to_end
from gradient_async._io.deadline_timer import get_loop
from gradient_async._protocol.batch.poll_schedule import Poll
from gradient_async._protocol.http.timeouts import Timeouts, limit_total
from gradient_async._protocol.requests.async_invoke import (
    build_invocation_error,
    build_invocation_request,
    build_result_request,
    build_status_request,
    read_invocation,
)
from gradient_async._protocol.requests.request import Request
from gradient_async.models.invocation import AsyncInvocation
from gradient_async.params import InvocationParams
from gradient_async.resources.base import Resource

_POLL = Poll(first=1.0, longest=15.0)


class AsyncInvoke(Resource):
    """``session.async_invoke``.

    Example::

        created = await session.async_invoke.create(model_id="fal-ai/flux/schnell", input={"prompt": "A city"})
        done = await session.async_invoke.wait(created.request_id, timeout=300)
        print(done.urls)
    """

    async def create(
        self, *, timeout: float | Timeouts | None = None, **params: Unpack[InvocationParams]
    ) -> AsyncInvocation:
        """Start an invocation.

        Args:
            timeout: Seconds for the whole call, or a `Timeouts` for each part of it.
            **params: Documented parameters; any other keyword goes into the body unchanged.

        Returns:
            The `AsyncInvocation` in its first state, usually ``QUEUED``.

        Raises:
            ConfigurationError: The call cannot work; nothing was sent.
            APIStatusError: The service refused the request; the subclass says why.
            APIConnectionError: No response came.
            ProtocolError: The response is not an invocation.
        """
        return await self._request_state(
            build_invocation_request(params, timeouts=self._timeouts.override_with(timeout))
        )

    async def status(self, request_id: str, *, timeout: float | Timeouts | None = None) -> AsyncInvocation:
        """Return the current state of an invocation, without its output.

        Args:
            request_id: The id that `create` returned.
            timeout: Seconds for the whole call, or a `Timeouts` for each part of it.

        Raises:
            APIStatusError: The service refused the request; the subclass says why.
            APIConnectionError: No response came.
        """
        return await self._request_state(
            build_status_request(request_id, timeouts=self._timeouts.override_with(timeout))
        )

    async def result(self, request_id: str, *, timeout: float | Timeouts | None = None) -> AsyncInvocation:
        """Return the current state of an invocation, with its output if it has completed.

        Arguments and errors are those of `status`.
        """
        return await self._request_state(
            build_result_request(request_id, timeouts=self._timeouts.override_with(timeout))
        )

    async def wait(
        self, request_id: str, *, timeout: float | None = None, poll: Poll = _POLL, check: bool = True
    ) -> AsyncInvocation:
        """Poll an invocation until it has ended.

        Args:
            request_id: The id that `create` returned.
            timeout: Seconds in total; None for no limit.
            poll: Seconds between two polls; they grow with the age of the invocation.
            check: Whether an end other than ``COMPLETED`` raises.

        Returns:
            The ended `AsyncInvocation`, with its output.

        Raises:
            InvocationFailedError: The invocation failed; the message has the reason if the service gives one.
            APITimeoutError: The invocation has not ended in time; it goes on at the service.
            APIStatusError: The service refused to return the invocation.
        """
        invocation = await poll_to_end(partial(self._poll_once, request_id), poll, timeout, subject="invocation")
        if check and not invocation.is_completed:
            raise build_invocation_error(invocation)
        return invocation

    async def _poll_once(self, request_id: str, remaining: float | None) -> AsyncInvocation:
        """Return the state of an invocation, with its output if it has ended, within *remaining* seconds."""
        clock = get_loop().time
        began = clock()
        timeouts = self._timeouts.override_with(remaining)
        state = await self._request_state(build_status_request(request_id, timeouts=timeouts, priority="bulk"))
        if not state.is_terminal:
            return state
        timeouts = limit_total(timeouts, (math.inf if remaining is None else remaining) - (clock() - began))
        return await self._request_state(build_result_request(request_id, timeouts=timeouts, priority="bulk"))

    def _request_state(self, request: Request) -> Coroutine[Any, Any, AsyncInvocation]:
        return self._pipeline.send_and_decode(request, self._target(), read_invocation)
