"""What hooks learn about attempts, calls, conversations with tools, and calls of tools.

Contract: frozen values. A program without such hooks does not load this module.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from gradient_async.errors import GradientError


@attrs.frozen(kw_only=True)
class AttemptDetails:
    """One attempt that has ended, successful or not.

    Attributes:
        method: HTTP method.
        url: Address without its query.
        attempt: Number of the attempt within its call, from 1.
        limiter_wait: Seconds spent waiting for the rate limiter.
        status: HTTP status; None if no response came.
        request_id: The service's id of the request; None if it sent none.
        error: The error of the attempt; None if it succeeded or was cancelled.
        elapsed: Seconds from handing the request to the pool to the end of the attempt; for a stream, to its status
            line.
        cancelled: Whether its task was cancelled, or its stream closed, before the attempt ended.
    """

    method: str
    url: str
    attempt: int
    limiter_wait: float
    status: int | None
    request_id: str | None
    error: GradientError | None
    elapsed: float
    cancelled: bool = False


@attrs.frozen(kw_only=True)
class CallDetails:
    """A call that begins. It spans every attempt, and ends with its response or with its stream.

    Attributes:
        method: HTTP method.
        url: Address without its query.
        model: Name of the model; None if the call has none, for example because an agent chooses its own.
        stream: Whether the response is a stream.
        params: The decoded request body, prompt included; empty without a body that is a JSON object.
    """

    method: str
    url: str
    model: str | None
    stream: bool
    params: Mapping[str, Any] = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class ToolRunDetails:
    """A conversation of ``run_tools`` that begins. It ends with its `ToolRun`, or with an error.

    Attributes:
        model: Name of the model; None if the call has none, for example because an agent chooses its own.
        params: The parameters of the first request, prompt included, without its tools.
    """

    model: str | None
    params: Mapping[str, Any] = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class ToolCallDetails:
    """A call of a tool in ``run_tools`` that begins. It ends with its `ToolStep`.

    Attributes:
        id: The id of the call.
        name: Name of the tool.
        description: The description of the tool that the model got; None without one.
        arguments: The arguments as the model wrote them: JSON, or text that should be.
    """

    id: str
    name: str
    description: str | None
    arguments: str = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class CallOutcome:
    """The end of a call, of a conversation with tools, or of the call of one tool.

    Attributes:
        outcome: ``"done"``, ``"error"``, ``"cancelled"``, or the outcome of its stream.
        result: The decoded response, or of a stream the part that arrived; the `ToolRun` or `ToolStep`; None without
            one. The ``meta`` of a response has the timings.
        error: The exception that ended the call; None after a success.
        elapsed: Seconds from the beginning of the call.
    """

    outcome: str
    result: Any = attrs.field(repr=False)
    error: BaseException | None
    elapsed: float
