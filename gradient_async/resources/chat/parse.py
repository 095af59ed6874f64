"""Answers in the form of a class: what ``parse`` does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from gradient_async._protocol.requests.request import reject_stream
from gradient_async._protocol.schema.structured_output import parsed_completion, response_format
from gradient_async.models.chat import ChatCompletion
from gradient_async.models.parsed import ParsedCompletion

T = TypeVar("T")


async def parse(
    ask: Callable[[Mapping[str, Any]], Awaitable[ChatCompletion]], params: Mapping[str, Any], cls: type[T]
) -> ParsedCompletion[T]:
    """Return the answer that *ask* fetches, read as a *cls*.

    Raises:
        ConfigurationError: The class has no schema, or the call cannot work; nothing was sent.
        ResponseDecodeError: The answer does not fit; ``snapshot`` has it.
    """
    reject_stream(params)
    completion = await ask({**params, "response_format": response_format(cls)})
    return parsed_completion(completion, cls)
