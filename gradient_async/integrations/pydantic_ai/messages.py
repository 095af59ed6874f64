"""Conversion of a Pydantic AI history to the messages of a chat completion.

Contract: pure; messages keep the order of the history. All leading system prompts become one message, because the
templates of many models accept only one. Content without a form in the API raises a `UserError` before anything is
sent. Fields that the framework does not know go back to this service only, with the response or call that had them.

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

from gradient_async.integrations._extra_fields import add_call_fields
from gradient_async.integrations._provider import PROVIDER

ChatMessage = dict[str, Any]


def chat_messages(history: Sequence[ModelMessage], parameters: ModelRequestParameters) -> list[ChatMessage]:
    """Return one system message with the prompts and the instructions, then the messages of *history*.

    Raises:
        UserError: The history has content without a form in the API.
    """
    messages = [message for item in history for message in _convert_message(item)]
    system_messages = list(takewhile(lambda message: message["role"] == "system", messages))
    texts = [*(message["content"] for message in system_messages), *_collect_instructions(history, parameters)]
    system = [{"role": "system", "content": "\n\n".join(texts)}] if texts else []
    return system + messages[len(system_messages) :]


def _collect_instructions(history: Sequence[ModelMessage], parameters: ModelRequestParameters) -> list[str]:
    """Return the agent's instructions; for a request without an agent, the last instructions in *history*."""
    if parameters.instruction_parts is not None:
        return [part.content for part in parameters.instruction_parts]
    instructions = [item.instructions for item in history if isinstance(item, ModelRequest) and item.instructions]
    return instructions[-1:]


def _convert_message(item: ModelMessage) -> Iterator[ChatMessage]:
    if isinstance(item, ModelResponse):
        yield from _convert_response(item)
        return
    files: list[UserContent] = []  # from tools: a tool message has only text, so a user message follows with them
    for part in item.parts:
        if isinstance(part, ToolReturnPart):
            text, tool_files = part.model_response_str_and_user_content()
            files += tool_files
            yield {"role": "tool", "tool_call_id": part.tool_call_id, "content": text}
        else:
            yield _convert_prompt(part)
    if files:
        yield {"role": "user", "content": _convert_content(files)}


def _convert_prompt(part: ModelRequestPart) -> ChatMessage:
    if isinstance(part, SystemPromptPart):
        return {"role": "system", "content": part.content}
    if isinstance(part, UserPromptPart):
        return {"role": "user", "content": _convert_content(part.content)}
    raise UserError(
        f"{type(part).__name__} cannot be sent unprepared. An Agent prepares its history; for a direct request, "
        "send model.prepare_messages(messages)."
    )


def _convert_response(response: ModelResponse) -> Iterator[ChatMessage]:
    """Yield the assistant message of a response; nothing for an empty one, which the service would refuse."""
    text = "\n\n".join(part.content for part in response.parts if isinstance(part, TextPart) and part.content)
    reasoning = "\n\n".join(part.content for part in response.parts if isinstance(part, ThinkingPart) and part.content)
    calls = [_convert_call(part) for part in response.parts if isinstance(part, ToolCallPart)]
    if text or calls:
        fields = {"content": text or None, "reasoning_content": reasoning, "tool_calls": calls}
        extra = (response.provider_details or {}).get("extra") if response.provider_name == PROVIDER else None
        known = {name: value for name, value in fields.items() if value or name == "content"}
        yield (extra or {}) | {"role": "assistant"} | known


def _convert_call(part: ToolCallPart) -> dict[str, Any]:
    call = {
        "id": part.tool_call_id,
        "type": "function",
        "function": {"name": part.tool_name, "arguments": part.args_as_json_str()},
    }
    fields = part.provider_details if part.provider_name == PROVIDER else None
    return add_call_fields(call, fields or {})


def _convert_content(content: str | Iterable[UserContent]) -> str | list[dict[str, Any]]:
    if isinstance(content, str):
        return content
    return [_convert_content_part(item) for item in content if not isinstance(item, CachePoint)]


def _convert_content_part(item: UserContent) -> dict[str, Any]:
    if isinstance(item, str | TextContent):
        return {"type": "text", "text": item if isinstance(item, str) else item.content}
    if isinstance(item, ImageUrl):
        return _image_part(item.url, item.vendor_metadata)
    if isinstance(item, BinaryContent) and item.is_image:
        return _image_part(item.data_uri, item.vendor_metadata)
    raise UserError(f"{type(item).__name__} cannot be sent: chat completions take text and images.")


def _image_part(url: str, metadata: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return an image with the ``detail`` from its vendor *metadata*, as the framework's other models do."""
    detail = (metadata or {}).get("detail")
    return {"type": "image_url", "image_url": {"url": url} | ({"detail": detail} if detail else {})}
