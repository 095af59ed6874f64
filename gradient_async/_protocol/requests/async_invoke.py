"""Invocations: the requests that start one and ask for it, and the answer to all of them.

Contract: pure. An error that is no text, which the reference does not have but fal's own models do, becomes one.
Source: ``POST /v1/async-invoke`` of the serverless reference, and its how-to guide for the two ways to ask.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from gradient_async._protocol.codec.converter import decode_json, encode_json, structure
from gradient_async._protocol.http.error_body import find_error
from gradient_async._protocol.http.timeouts import Timeouts
from gradient_async._protocol.rate_limit.priority_queue import Priority
from gradient_async._protocol.requests.request import (
    Request,
    build_json_post,
    describe_type,
    require_finite,
    require_iterable,
    require_text,
    without_unset,
)
from gradient_async.errors import ConfigurationError, InvocationFailedError
from gradient_async.models.invocation import AsyncInvocation
from gradient_async.params import InvocationParams

_PATH = "/v1/async-invoke"
_KNOWN = InvocationParams.__required_keys__ | InvocationParams.__optional_keys__


def build_invocation_request(params: Mapping[str, Any], *, timeouts: Timeouts) -> Request:
    """Return the request that starts an invocation.

    Raises:
        ConfigurationError: The parameters cannot be meant: no model, no input, tags that are no objects.
    """
    body = without_unset(params, _KNOWN)
    require_text(body, "model_id", "fal-ai/flux/schnell")
    if not isinstance(body.get("input"), Mapping):
        raise ConfigurationError(
            f"input must be an object, as {{'prompt': '...'}}; got {describe_type(body.get('input'))}."
        )
    body["input"] = dict(body["input"])
    for name, value in body["input"].items():
        require_finite(f"input.{name}", value)
    if "tags" in body:
        body["tags"] = [
            _checked_tag(position, tag) for position, tag in enumerate(require_iterable("tags", body["tags"], "a list"))
        ]
    return build_json_post(_PATH, body, timeouts=timeouts)


def build_status_request(request_id: str, *, timeouts: Timeouts, priority: Priority = "interactive") -> Request:
    """Return the request that asks how an invocation is."""
    return _get(request_id, "/status", timeouts, priority)


def build_result_request(request_id: str, *, timeouts: Timeouts, priority: Priority = "interactive") -> Request:
    """Return the request that asks for an invocation with its output."""
    return _get(request_id, "", timeouts, priority)


def read_invocation(body: bytes) -> AsyncInvocation:
    """Return the invocation in the body of a successful answer.

    Raises:
        APIStatusError: It is an error object.
        ResponseDecodeError: It is no invocation.
    """
    value = decode_json(body)
    if type(value) is dict and type(value.get("status")) is not str and (error := find_error(value)):
        raise error
    invocation = structure(_with_text(value), AsyncInvocation)
    invocation._raw = value
    return invocation


def invocation_error(invocation: AsyncInvocation) -> InvocationFailedError:
    """Return the error for an invocation that did not complete."""
    reason = invocation.error or "The service does not say why."
    message = f"Invocation {invocation.request_id} of {invocation.model_id} ended as {invocation.status}: {reason}"
    return InvocationFailedError(message, invocation=invocation)


def _get(request_id: object, action: str, timeouts: Timeouts, priority: Priority) -> Request:
    if not isinstance(request_id, str) or not request_id:
        raise ConfigurationError(f"request_id must be the id of an invocation; got {describe_type(request_id)}.")
    path = f"{_PATH}/{quote(request_id, safe='')}{action}"
    return Request(method="GET", path=path, timeouts=timeouts, idempotent=True, priority=priority)


def _checked_tag(position: int, tag: object) -> dict[str, Any]:
    if isinstance(tag, Mapping) and {"key", "value"} <= tag.keys():
        return dict(tag)
    raise ConfigurationError(f"tags[{position}] must be an object with a key and a value.")


def _with_text(value: Any) -> Any:
    error = value.get("error") if type(value) is dict else None
    if error is None or type(error) is str:
        return value
    message = error.get("message") if type(error) is dict else None
    return value | {"error": message if type(message) is str else encode_json(error).decode()}
