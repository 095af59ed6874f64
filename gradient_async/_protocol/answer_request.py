"""Requests to the messages and the responses API, decided before anything waits.

Contract: that of `request`: a parameter that is None is left out, except inside ``extra_body`` and among keywords the
schema does not know. An answer, or an item of one, can be sent back as part of the next conversation. Functions among
the tools become their descriptions, in the shape of each API.

Source: ``POST /v1/messages`` and ``POST /v1/responses`` of the serverless reference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from gradient_async._protocol.jsontext import encode_json
from gradient_async._protocol.request import Request, check_model, checked_headers, checked_value
from gradient_async._protocol.timeouts import Timeouts
from gradient_async.errors import ConfigurationError
from gradient_async.models._base import Model
from gradient_async.models.messages import MessageReply
from gradient_async.models.responses import OutputItem
from gradient_async.params import MessagesParams, ResponsesParams

MESSAGES_PATH = "/v1/messages"
RESPONSES_PATH = "/v1/responses"

_MESSAGE_FIELDS = MessagesParams.__required_keys__ | MessagesParams.__optional_keys__
_RESPONSE_FIELDS = ResponsesParams.__required_keys__ | ResponsesParams.__optional_keys__
_LISTS = ("modalities", "stop", "stop_sequences", "system", "tools")
_ROLES = ("user", "assistant")


def message_request(params: Mapping[str, Any], *, stream: bool, timeouts: Timeouts) -> Request:
    """Return the request for a message.

    Raises:
        ConfigurationError: The parameters cannot be meant: no turns, no model, no ``max_tokens``.
    """
    turns = _listed("messages", params.get("messages"), "[{'role': 'user', 'content': 'Hello'}]")
    turns = [_turn(turn, position) for position, turn in enumerate(turns)]
    _check_max_tokens(params.get("max_tokens"))
    body = _body({**params, "messages": turns}, _MESSAGE_FIELDS)
    _describe_tools(body, _message_tool)
    return _request(MESSAGES_PATH, body, stream=stream, timeouts=timeouts)


def response_request(params: Mapping[str, Any], *, stream: bool, timeouts: Timeouts) -> Request:
    """Return the request for a response.

    Raises:
        ConfigurationError: The parameters cannot be meant: no input, no model.
    """
    given = params.get("input")
    if given == "":
        raise ConfigurationError("input is empty; give the text to answer.")
    if not isinstance(given, str):
        given = _listed("input", given, "'Hello' or [{'role': 'user', 'content': 'Hello'}]")
        _check_items(given)
    body = _body({**params, "input": given}, _RESPONSE_FIELDS)
    _describe_tools(body, _response_tool)
    return _request(RESPONSES_PATH, body, stream=stream, timeouts=timeouts)


def _body(params: Mapping[str, Any], known: frozenset[str]) -> dict[str, Any]:
    """Return the body of *params*, ``extra_body`` and ``extra_headers`` still beside the others."""
    if params.get("stream") is not None:
        raise ConfigurationError("stream= is not a parameter here; use .stream(...) for a stream, .create(...) else.")
    check_model(params.get("model"))
    body = {name: value for name, value in params.items() if value is not None or name not in known}
    for name in _LISTS:
        if not isinstance(value := body.get(name, ""), str | list):
            body[name] = _listed(name, value, "a list")
    return body


def _describe_tools(body: dict[str, Any], shape: Callable[[Mapping[str, Any]], dict[str, Any]]) -> None:
    """Put what the API takes in place of the Python functions among the tools."""
    if not any(map(callable, body.get("tools", ()))):
        return
    from gradient_async._protocol.functions import function_tool  # many programs have none

    body["tools"] = [
        shape(function_tool(tool).definition["function"]) if callable(tool) else tool for tool in body["tools"]
    ]


def _message_tool(function: Mapping[str, Any]) -> dict[str, Any]:
    told = {name: value for name, value in function.items() if name != "parameters"}
    return {**told, "input_schema": function["parameters"]}


def _response_tool(function: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "function", **function}


def _request(path: str, body: dict[str, Any], *, stream: bool, timeouts: Timeouts) -> Request:
    extra_body, headers = body.pop("extra_body", None) or {}, body.pop("extra_headers", None) or {}
    checked = {name: checked_value(name, value) for name, value in body.items()}
    if stream:
        checked["stream"] = True
    return Request(
        method="POST",
        path=path,
        body=encode_json({**checked, **extra_body}),
        headers=checked_headers(headers),
        timeouts=timeouts,
        stream=stream,
    )


def _listed(name: str, value: object, example: str) -> list[Any]:
    if not isinstance(value, Iterable) or isinstance(value, str | bytes | Mapping | Model):
        raise ConfigurationError(f"{name} must be a list, as {example}; got {type(value).__name__}.")
    if not (listed := list(value)) and name in ("messages", "input"):
        raise ConfigurationError(f"{name} is empty; give at least one, as {example}.")
    return listed


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
