"""Structured output: request a completion in the form of a class and parse it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from gradient_async._protocol.requests.chat import reject_stream
from gradient_async._protocol.schema.structured_output import build_response_format, parse_completion
from gradient_async.models.chat import ChatCompletion
from gradient_async.models.parsed import ParsedCompletion

T = TypeVar("T")


async def parse(
    send: Callable[[Mapping[str, Any]], Awaitable[ChatCompletion]], params: Mapping[str, Any], cls: type[T]
) -> ParsedCompletion[T]:
    """Fetch a completion with *send* and convert its content to *cls*.

    Raises:
        ConfigurationError: The class has no schema, or the call cannot work; nothing was sent.
        ResponseDecodeError: The content does not fit; ``snapshot`` has the completion.
    """
    reject_stream(params)
    completion = await send({**params, "response_format": build_response_format(cls)})
    return parse_completion(completion, cls, reads_tool_calls=not params.get("tools"))
