"""The messages and the responses API: their requests.

Contract: what is None is left out as in `chat`. A result, or an item of one, can be sent back as part of the next
conversation. Functions among the tools become their descriptions, in the form of each API.

Source: ``POST /v1/messages`` and ``POST /v1/responses`` of the serverless reference.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from gradient_async._protocol.http.timeouts import Timeouts
from gradient_async._protocol.requests.json_post import AS_GIVEN, build_post
from gradient_async._protocol.requests.parameters import (
    describe_role,
    find_keys,
    require_iterable,
    require_model,
    to_json_value,
    without_unset,
)
from gradient_async._protocol.requests.request import Request
from gradient_async.errors import ConfigurationError, quote_argument
from gradient_async.models.messages import ContentBlock, MessageReply
from gradient_async.params import MessagesParams, ResponsesParams

if TYPE_CHECKING:
    from gradient_async._protocol.schema.dialect import Dialect
    from gradient_async.models.responses import ResponseReply

MESSAGES_PATH = "/v1/messages"
RESPONSES_PATH = "/v1/responses"

_MESSAGE_FIELDS, _RESPONSE_FIELDS = find_keys(MessagesParams), find_keys(ResponsesParams)
_LISTS = ("modalities", "stop", "stop_sequences", "system", "tools")
_ROLES = ("user", "assistant")


def build_message_request(params: Mapping[str, Any], *, stream: bool, timeouts: Timeouts) -> Request:
    """Build the request for a message.

    Raises:
        ConfigurationError: A parameter is missing or invalid: the messages, the model or ``max_tokens``.
    """
    messages = _require_items("messages", params.get("messages"), "[{'role': 'user', 'content': 'Hello'}]")
    messages = [_to_turn(message) for message in messages]
    max_tokens = params.get("max_tokens")
    if type(max_tokens) is not int or max_tokens < 1:
        raise ConfigurationError(
            f"max_tokens must be a whole number of at least 1, which this API needs; got {quote_argument(max_tokens)}."
        )
    body = _build_body({**params, "messages": messages}, _MESSAGE_FIELDS, load_messages_dialect)
    for position, message in enumerate(body["messages"]):
        _check_message(message, position)
    return build_post(MESSAGES_PATH, body, stream=stream, timeouts=timeouts)


def build_response_request(params: Mapping[str, Any], *, stream: bool, timeouts: Timeouts) -> Request:
    """Build the request for a response.

    Raises:
        ConfigurationError: A parameter is missing or invalid: the input or the model.
    """
    value = params.get("input")
    if value == "":
        raise ConfigurationError("input is empty; give the text to respond to.")
    if not isinstance(value, str):
        value = _require_items("input", value, "'Hello' or [{'role': 'user', 'content': 'Hello'}]")
    body = _build_body({**params, "input": value}, _RESPONSE_FIELDS, load_responses_dialect)
    for position, item in enumerate(() if isinstance(value, str) else body["input"]):
        if type(item) is not dict:
            got = type(item).__name__
            raise ConfigurationError(f"input[{position}] must be a message or another item; got {got}.")
        if "role" in item and not (role := describe_role(item)).startswith("the role"):
            raise ConfigurationError(f"input[{position}] has {role}; give one, as 'user'.")
    return build_post(RESPONSES_PATH, body, stream=stream, timeouts=timeouts)


def _build_body(
    params: Mapping[str, Any], known: frozenset[str], load_dialect: Callable[[], Dialect[Any]]
) -> dict[str, Any]:
    """Return the JSON body of *params*; ``extra_body`` and ``extra_headers`` are still among its values."""
    if params.get("stream") is not None:
        raise ConfigurationError("stream= is not a parameter here; use .stream(...) for a stream, .create(...) else.")
    require_model(params.get("model"))
    body = without_unset(params, known)
    for name in _LISTS:
        if not isinstance(value := body.get(name, ""), str | list):
            body[name] = require_iterable(name, value, "a list")
    if any(map(callable, body.get("tools", ()))):
        from gradient_async._protocol.schema.function_tool import function_tool  # many programs have no tools

        define_tool = load_dialect().define_tool
        body["tools"] = [define_tool(function_tool(tool)) if callable(tool) else tool for tool in body["tools"]]
    return {
        name: value if name in AS_GIVEN else to_json_value(name, value, keep_nulls=name not in known)
        for name, value in body.items()
    }


def load_messages_dialect() -> Dialect[MessageReply]:
    """Return the form of the tools of messages."""
    from gradient_async._protocol.schema.messages_dialect import MESSAGES_DIALECT  # many programs have no tools

    return MESSAGES_DIALECT


def load_responses_dialect() -> Dialect[ResponseReply]:
    """Return the form of the tools of responses."""
    from gradient_async._protocol.schema.responses_dialect import RESPONSES_DIALECT  # many programs have no tools

    return RESPONSES_DIALECT


def _require_items(name: str, value: object, example: str) -> list[Any]:
    """Return the items of a conversation, at least one."""
    items = require_iterable(name, value, f"a list, as {example}")
    if not items:
        raise ConfigurationError(f"{name} is empty; give at least one, as {example}.")
    return items


def _to_turn(message: object) -> object:
    """Return the turn of the conversation that a `MessageReply` was; anything else unchanged."""
    if not isinstance(message, MessageReply):
        return message
    return {"role": message.role, "content": [_to_block(block) for block in message.content]}


def _to_block(block: ContentBlock) -> dict[str, Any]:
    """Return the block as it was, without the text of an input that was cut: the service knows no such field."""
    return {name: value for name, value in block.to_dict().items() if name != "partial_json"}


def _check_message(message: object, position: int) -> None:
    """Raise a `ConfigurationError` unless *message* has a known role and content."""
    if type(message) is not dict:
        raise ConfigurationError(f"messages[{position}] must be an object with a role; got {type(message).__name__}.")
    if message.get("role") not in _ROLES:
        hint = "; instructions go into system=" if message.get("role") in ("system", "developer") else ""
        role = describe_role(message)
        raise ConfigurationError(f"messages[{position}] has {role}; this API knows {', '.join(_ROLES)}{hint}.")
    if message.get("content") is None:
        raise ConfigurationError(f"messages[{position}] has no content; give text or a list of blocks.")
