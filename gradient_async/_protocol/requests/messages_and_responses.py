"""Requests to the messages and the responses API, decided before anything waits.

Contract: that of `request`: a parameter that is None is left out, except inside ``extra_body`` and among keywords the
schema does not know. An answer, or an item of one, can be sent back as part of the next conversation. Functions among
the tools become their descriptions, in the shape of each API.

Source: ``POST /v1/messages`` and ``POST /v1/responses`` of the serverless reference.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gradient_async._protocol.http.timeouts import Timeouts
from gradient_async._protocol.requests.request import (
    Request,
    build_post,
    require_iterable,
    require_model,
    to_json_value,
    without_unset,
)
from gradient_async.errors import ConfigurationError
from gradient_async.models.messages import MessageReply
from gradient_async.models.responses import OutputItem
from gradient_async.params import MessagesParams, ResponsesParams

MESSAGES_PATH = "/v1/messages"
RESPONSES_PATH = "/v1/responses"

_MESSAGE_FIELDS = MessagesParams.__required_keys__ | MessagesParams.__optional_keys__
_RESPONSE_FIELDS = ResponsesParams.__required_keys__ | ResponsesParams.__optional_keys__
_LISTS = ("modalities", "stop", "stop_sequences", "system", "tools")
_ROLES = ("user", "assistant")


def build_message_request(params: Mapping[str, Any], *, stream: bool, timeouts: Timeouts) -> Request:
    """Return the request for a message.

    Raises:
        ConfigurationError: The parameters cannot be meant: no turns, no model, no ``max_tokens``.
    """
    turns = _filled("messages", params.get("messages"), "[{'role': 'user', 'content': 'Hello'}]")
    turns = [_turn(turn, position) for position, turn in enumerate(turns)]
    _check_max_tokens(params.get("max_tokens"))
    body = _body({**params, "messages": turns}, _MESSAGE_FIELDS)
    _describe_tools(body, _message_tool)
    return build_post(MESSAGES_PATH, _checked(body), stream=stream, timeouts=timeouts)


def build_response_request(params: Mapping[str, Any], *, stream: bool, timeouts: Timeouts) -> Request:
    """Return the request for a response.

    Raises:
        ConfigurationError: The parameters cannot be meant: no input, no model.
    """
    asked = params.get("input")
    if asked == "":
        raise ConfigurationError("input is empty; give the text to answer.")
    if not isinstance(asked, str):
        asked = _filled("input", asked, "'Hello' or [{'role': 'user', 'content': 'Hello'}]")
        _check_items(asked)
    body = _body({**params, "input": asked}, _RESPONSE_FIELDS)
    _describe_tools(body, _response_tool)
    return build_post(RESPONSES_PATH, _checked(body), stream=stream, timeouts=timeouts)


def _body(params: Mapping[str, Any], known: frozenset[str]) -> dict[str, Any]:
    """Return the body of *params*, ``extra_body`` and ``extra_headers`` still beside the others."""
    if params.get("stream") is not None:
        raise ConfigurationError("stream= is not a parameter here; use .stream(...) for a stream, .create(...) else.")
    require_model(params.get("model"))
    body = without_unset(params, known)
    for name in _LISTS:
        if not isinstance(value := body.get(name, ""), str | list):
            body[name] = require_iterable(name, value, "a list")
    return body


def _describe_tools(body: dict[str, Any], shape: Callable[[Mapping[str, Any]], dict[str, Any]]) -> None:
    """Put what the API takes in place of the Python functions among the tools."""
    if not any(map(callable, body.get("tools", ()))):
        return
    from gradient_async._protocol.schema.function_tool import function_tool  # many programs have none

    body["tools"] = [
        shape(function_tool(tool).definition["function"]) if callable(tool) else tool for tool in body["tools"]
    ]


def _message_tool(function: Mapping[str, Any]) -> dict[str, Any]:
    told = {name: value for name, value in function.items() if name != "parameters"}
    return {**told, "input_schema": function["parameters"]}


def _response_tool(function: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "function", **function}


def _checked(body: Mapping[str, Any]) -> dict[str, Any]:
    return {name: to_json_value(name, value) for name, value in body.items()}


def _filled(name: str, value: object, example: str) -> list[Any]:
    """Return the items of the conversation, the parameter *name*, of which there has to be one."""
    items = require_iterable(name, value, f"a list, as {example}")
    if not items:
        raise ConfigurationError(f"{name} is empty; give at least one, as {example}.")
    return items


def _turn(turn: object, position: int) -> Mapping[str, Any]:
    """Return a turn with a role the service knows; an earlier answer as the turn it was."""
    if isinstance(turn, MessageReply):
        return {"role": turn.role, "content": turn.content}
    if not isinstance(turn, Mapping):
        raise ConfigurationError(f"messages[{position}] must be an object with a role; got {type(turn).__name__}.")
    if turn.get("role") not in _ROLES:
        hint = "; instructions go into system=" if turn.get("role") in ("system", "developer") else ""
        raise ConfigurationError(
            f"messages[{position}] has the role {turn.get('role')!r}; this API knows {', '.join(_ROLES)}{hint}."
        )
    if turn.get("content") is None:
        raise ConfigurationError(f"messages[{position}] has no content; give text or a list of blocks.")
    return turn


def _check_max_tokens(value: object) -> None:
    if type(value) is not int or value < 1:
        raise ConfigurationError(
            f"max_tokens must be a whole number of at least 1, which this API needs; got {value!r}."
        )


def _check_items(items: list[Any]) -> None:
    for position, item in enumerate(items):
        if not isinstance(item, Mapping | OutputItem):
            raise ConfigurationError(f"input[{position}] must be a message or another item; got {type(item).__name__}.")
