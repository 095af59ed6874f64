"""Structured output: request a reply in the form of a class and parse it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from gradient_async._protocol.requests.chat import reject_stream
from gradient_async._protocol.schema.dialect import Dialect
from gradient_async._protocol.schema.structured_output import parse_reply, request_class


async def send_parsed(
    send: Callable[[Mapping[str, Any]], Awaitable[Any]], dialect: Dialect[Any], params: Mapping[str, Any], cls: type
) -> Any:
    """Fetch a reply with *send* and convert its answer to *cls*.

    Raises:
        ConfigurationError: The class has no schema, or the call cannot work; nothing was sent.
        ResponseDecodeError: The answer does not fit; ``snapshot`` has the reply.
    """
    reject_stream(params)
    request = request_class(dialect, params, cls)
    reply = await send(request.params)
    return parse_reply(dialect, reply, cls, request, reads_tool_calls=not params.get("tools"))
