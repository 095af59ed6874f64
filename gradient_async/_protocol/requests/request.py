"""Requests as data: what will be sent, decided before anything waits.

Contract: a parameter that is None is left out, except inside ``extra_body`` and among keywords the schema does not
know, which go into the body untouched. Models among the messages become plain objects, functions among the tools
their descriptions.

Source: chat completions of the agent and serverless reference.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, get_args

import attrs

from gradient_async._protocol.codec.json_text import encode_jsonable
from gradient_async._protocol.http.timeouts import Timeouts
from gradient_async._protocol.rate_limit.priority_queue import Priority
from gradient_async.errors import ConfigurationError
from gradient_async.models import Message
from gradient_async.models._base import Model, to_jsonable
from gradient_async.params import AgentParams, ChatParams, Role

CHAT_PATH = "/v1/chat/completions"
AGENT_CHAT_PATH = "/api/v1/chat/completions?agent=true"
AGENT_MODEL = "ignored"
MESSAGES_EXPECTED = "a list of messages, as [{'role': 'user', 'content': 'Hello'}]"
"""What the messages of a chat must be."""

_KNOWN = ChatParams.__required_keys__ | ChatParams.__optional_keys__ | AgentParams.__optional_keys__
_ROLES = get_args(Role)
_LISTS = {"stop": "a text or a list of texts", "tools": "a list of functions or of their descriptions"}
_SCALARS = frozenset({str, int, float, bool, type(None)})
_HEADER_NAME = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z]+")
_OUR_HEADERS = frozenset({"authorization", "host", "content-length", "transfer-encoding"})
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


@attrs.define(kw_only=True)
class Request:
    """One call of the API, ready to be sent any number of times: nobody changes it.

    Attributes:
        path: Path and query below the base URL, as it goes on the wire.
        idempotent: Whether sending it twice does no harm.
        stream: Whether the answer is wanted as an event stream.
        priority: Whether it waits behind interactive requests at the limiter.
        timeout_excludes_limiter_wait: Whether the time limits begin after the wait at the limiter, which is unlimited.
    """

    method: str
    path: str
    body: bytes | None = attrs.field(default=None, repr=False)
    headers: Mapping[str, str] = attrs.field(default=_NO_HEADERS, repr=False)
    timeouts: Timeouts = attrs.field(factory=Timeouts)
    idempotent: bool = False
    stream: bool = False
    priority: Priority = "interactive"
    timeout_excludes_limiter_wait: bool = False


def build_chat_request(path: str, params: Mapping[str, Any], *, stream: bool, timeouts: Timeouts) -> Request:
    """Return the request for a chat completion.

    Raises:
        ConfigurationError: The parameters cannot be meant: no messages, no model, something without a JSON form.
    """
    body = {name: value for name, value in params.items() if value is not None or name not in _KNOWN}
    body["messages"] = _checked_messages(body.get("messages"))
    require_model(body.get("model"))
    for name, value in body.items():
        if name != "messages" and (type(value) not in _SCALARS or type(value) is float):
            body[name] = to_json_value(name, value)
    return build_post(path, body, stream=stream, timeouts=timeouts)


def build_post(path: str, body: dict[str, Any], *, stream: bool = False, timeouts: Timeouts) -> Request:
    """Return the request that posts *body*, whose ``extra_body`` and ``extra_headers`` go where they belong.

    Raises:
        ConfigurationError: Something has no JSON form, or a header cannot be set.
    """
    extra_body, headers = body.pop("extra_body", None), body.pop("extra_headers", None)
    if stream:
        body["stream"] = True
    if extra_body:
        extra = to_jsonable(dict(_mapping("extra_body", extra_body)))
        for name, value in extra.items():
            require_finite(name, value)
        body |= extra
    return Request(
        method="POST",
        path=path,
        body=encode_jsonable(body),
        headers=validate_headers(_mapping("extra_headers", headers)) if headers else _NO_HEADERS,
        timeouts=timeouts,
        stream=stream,
    )


def _mapping(name: str, value: object) -> Mapping[Any, Any]:
    if isinstance(value, Mapping):
        return value
    raise ConfigurationError(f"{name} must be a dict of names and values; got {describe_type(value)}.")


def _checked_messages(messages: object) -> Any:
    """Return *messages* as a list of plain objects with a role the service knows.

    Hot: that nothing is to be made plain, which is most often so, is seen without a call for each message.
    """
    checked = messages if type(messages) is list else require_iterable("messages", messages, MESSAGES_EXPECTED)
    if not checked:
        raise ConfigurationError("messages is empty; give at least one, as {'role': 'user', 'content': 'Hello'}.")
    are_plain = True
    for position, message in enumerate(checked):
        if type(message) is not dict or message.get("role") not in _ROLES:
            _check_message(message, position)
            are_plain = False
        else:
            are_plain = are_plain and _SCALARS.issuperset(map(type, message.values()))
    return checked if are_plain else to_jsonable(checked)


def require_iterable(name: str, value: object, expected: str) -> list[Any]:
    """Return the items of *value*, the parameter *name*, which must be what is *expected*.

    Raises:
        ConfigurationError: It is nothing to iterate over.
    """
    if isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping | Model):
        return list(value)
    raise ConfigurationError(f"{name} must be {expected}; got {describe_type(value)}.")


def describe_type(value: object) -> str:
    """Return what *value* is, for an error: never the value, which may be a prompt."""
    return "nothing" if value is None else "an empty one" if value == "" else type(value).__name__


def reject_stream(params: Mapping[str, Any]) -> None:
    """Raise a `ConfigurationError` if *params* ask for a stream where a whole answer is needed."""
    if params.get("stream"):
        raise ConfigurationError("stream=True is for create; this call needs the whole answer, leave it out.")


def _check_message(message: object, position: int) -> None:
    if isinstance(message, Message):
        return
    if not isinstance(message, Mapping):
        raise ConfigurationError(f"messages[{position}] must be an object with a role; got {type(message).__name__}.")
    if message.get("role") not in _ROLES:
        raise ConfigurationError(
            f"messages[{position}] has the role {message.get('role')!r}; the service knows {', '.join(_ROLES)}."
        )


def require_model(model: object) -> None:
    """Raise a `ConfigurationError` unless *model* names one."""
    if not isinstance(model, str) or not model:
        raise ConfigurationError(
            "model must name a model, as 'llama3.3-70b-instruct'; session.models.list() gives all."
        )


def to_json_value(name: str, value: Any) -> Any:
    """Return the *value* of a parameter as JSON has it: without models, and with lists for what can be iterated."""
    require_finite(name, value)
    if name in _LISTS and not isinstance(value, str):
        value = require_iterable(name, value, _LISTS[name])
    if name == "tools" and any(map(callable, value)):
        value = _described(value)
    if name == "response_format" and isinstance(value, type):
        raise ConfigurationError(
            f"response_format is the class {value.__name__}; chat.completions.parse takes classes."
        )
    return to_jsonable(value)


def require_finite(name: str, value: object) -> None:
    """Raise a `ConfigurationError` if *value* is a number that JSON does not have."""
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigurationError(f"{name} is {value}, which JSON cannot carry; give a finite number.")


def _described(tools: list[Any]) -> list[Any]:
    """Return *tools* with the functions among them as the API has it."""
    from gradient_async._protocol.schema.function_tool import describe_tools  # many programs have none

    return describe_tools(tools)


def validate_headers(headers: Mapping[Any, Any]) -> Mapping[str, str]:
    """Return the caller's own *headers*.

    Raises:
        ConfigurationError: One is the session's to set, or cannot be a header.
    """
    for name, value in headers.items():
        if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
            raise ConfigurationError(f"extra_headers has {name!r}, which cannot be the name of a header.")
        if name.lower() in _OUR_HEADERS:
            raise ConfigurationError(f"extra_headers cannot set {name}; the session sets it for each request.")
        if not isinstance(value, str):
            raise ConfigurationError(f"extra_headers: the value of {name} must be text; got {describe_type(value)}.")
        if not value.isprintable():
            raise ConfigurationError(f"extra_headers has a control character in {name!r}.")
    return headers


def build_headers(request: Request, key: str) -> dict[str, str]:
    """Return the headers of *request* when it is sent with *key*: each name once, whatever its case.

    A header of the caller's own replaces our User-Agent; what tells the form of body and answer is not replaced.
    """
    headers = {"Authorization": f"Bearer {key}", "User-Agent": "gradient-async", **request.headers}
    if request.body is not None:
        headers["Content-Type"] = "application/json"
    if request.stream:
        headers |= {"Accept": "text/event-stream", "Accept-Encoding": "identity"}
    return dict({name.lower(): (name, value) for name, value in headers.items()}.values())


# MERGED: Requests whose body is the call's parameters and nothing else: embeddings, images, invocations.
def without_unset(params: Mapping[str, Any], known: frozenset[str]) -> dict[str, Any]:
    """Return what is set of *params*, of which the schema knows *known*."""
    return {name: value for name, value in params.items() if value is not None or name not in known}


def build_json_post(path: str, body: Mapping[str, Any], *, timeouts: Timeouts) -> Request:
    """Return the request that posts *body*, made plain.

    Raises:
        ConfigurationError: Something has no JSON form, or a header cannot be set.
    """
    for name, value in body.items():
        require_finite(name, value)
    return build_post(path, {name: to_jsonable(value) for name, value in body.items()}, timeouts=timeouts)


def require_text(body: Mapping[str, Any], name: str, example: str) -> None:
    """Check that *body* has some text under *name*.

    Raises:
        ConfigurationError: It has none.
    """
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise ConfigurationError(
            f"{name} must be a text that is not empty, as {example!r}; got {describe_type(value)}."
        )
