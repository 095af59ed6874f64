"""The history of a Pydantic AI run as the messages of a chat completion.

Contract: pure; a message's order is the history's. All that the system says first is one message, because the
templates of many models have room for no more. What cannot be sent is a `UserError` before anything is.

Source: ``pydantic_ai.messages``; the message schema of ``POST /v1/chat/completions``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Any

from pydantic_ai.exceptions import UserError
from pydantic_ai.messages import (
    BinaryContent,
    CachePoint,
    ImageUrl,
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    SystemPromptPart,
    TextContent,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserContent,
    UserPromptPart,
)
from pydantic_ai.models import ModelRequestParameters

ChatMessage = dict[str, Any]


def chat_messages(history: Sequence[ModelMessage], parameters: ModelRequestParameters) -> list[ChatMessage]:
    """Return the messages of *history* after one system message with its prompts and the instructions.

    Raises:
        UserError: Something in it has no form in this API.
    """
    messages = [message for item in history for message in _messages(item)]
    prompts = list(takewhile(lambda message: message["role"] == "system", messages))
    texts = [*(prompt["content"] for prompt in prompts), *_instructions(history, parameters)]
    system = [{"role": "system", "content": "\n\n".join(texts)}] if texts else []
    return system + messages[len(prompts) :]


def _instructions(history: Sequence[ModelMessage], parameters: ModelRequestParameters) -> list[str]:
    """Return the instructions: an agent's as it gave them; of a request without an agent, the last in *history*."""
    if parameters.instruction_parts is not None:
        return [part.content for part in parameters.instruction_parts]
    given = [item.instructions for item in history if isinstance(item, ModelRequest) and item.instructions]
    return given[-1:]


def _messages(item: ModelMessage) -> Iterator[ChatMessage]:
    if isinstance(item, ModelResponse):
        yield from _assistant(item)
        return
    files: list[UserContent] = []  # of tools, whose own messages have text alone
    for part in item.parts:
        if isinstance(part, ToolReturnPart):
            text, found = part.model_response_str_and_user_content()
            files += found
            yield {"role": "tool", "tool_call_id": part.tool_call_id, "content": text}
        else:
            yield _prompt(part)
    if files:
        yield {"role": "user", "content": _content(files)}


def _prompt(part: ModelRequestPart) -> ChatMessage:
    if isinstance(part, SystemPromptPart):
        return {"role": "system", "content": part.content}
    if isinstance(part, UserPromptPart):
        return {"role": "user", "content": _content(part.content)}
    raise UserError(
        f"{type(part).__name__} cannot be sent as it is. An Agent prepares its history; for a request of your own, "
        "send model.prepare_messages(messages)."
    )


def _assistant(response: ModelResponse) -> Iterator[ChatMessage]:
    """Yield what the model said; nothing if it said nothing, which the service refuses."""
    text = "\n\n".join(part.content for part in response.parts if isinstance(part, TextPart) and part.content)
    thoughts = "\n\n".join(part.content for part in response.parts if isinstance(part, ThinkingPart) and part.content)
    calls = [_call(part) for part in response.parts if isinstance(part, ToolCallPart)]
    if text or calls:
        said = {"content": text or None, "reasoning_content": thoughts, "tool_calls": calls}
        yield {"role": "assistant"} | {name: value for name, value in said.items() if value or name == "content"}


def _call(part: ToolCallPart) -> dict[str, Any]:
    function = {"name": part.tool_name, "arguments": part.args_as_json_str()}
    return {"id": part.tool_call_id, "type": "function", "function": function}


def _content(content: str | Iterable[UserContent]) -> str | list[dict[str, Any]]:
    if isinstance(content, str):
        return content
    return [_content_part(item) for item in content if not isinstance(item, CachePoint)]


def _content_part(item: UserContent) -> dict[str, Any]:
    if isinstance(item, str | TextContent):
        return {"type": "text", "text": item if isinstance(item, str) else item.content}
    if isinstance(item, ImageUrl):
        return _image(item.url, item.vendor_metadata)
    if isinstance(item, BinaryContent) and item.is_image:
        return _image(item.data_uri, item.vendor_metadata)
    raise UserError(f"{type(item).__name__} cannot be sent: chat completions take text and images.")


def _image(url: str, metadata: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return an image with the ``detail`` of its *metadata*, where every model of the framework looks for it."""
    detail = (metadata or {}).get("detail")
    return {"type": "image_url", "image_url": {"url": url} | ({"detail": detail} if detail else {})}
