"""Asynchronous invocations: the requests that start and poll one, and their response body.

Contract: pure. An ``error`` that is an object, which fal's models send although the reference says text, becomes text.
Source: ``POST /v1/async-invoke`` of the serverless reference, and its how-to guide for the two ways to poll.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from gradient_async._protocol.codec.converter import decode_json, encode_json, structure
from gradient_async._protocol.http.error_detection import find_error
from gradient_async._protocol.http.timeouts import Timeouts
from gradient_async._protocol.rate_limit.priority_queue import Priority
from gradient_async._protocol.requests.json_post import build_json_post
from gradient_async._protocol.requests.parameters import (
    describe_type,
    require_iterable,
    require_text,
    without_unset,
)
from gradient_async._protocol.requests.request import Request
from gradient_async.errors import ConfigurationError, InvocationFailedError
from gradient_async.models.invocation import AsyncInvocation
from gradient_async.params import InvocationParams

_PATH = "/v1/async-invoke"
_KNOWN = InvocationParams.__required_keys__ | InvocationParams.__optional_keys__


def build_invocation_request(params: Mapping[str, Any], *, timeouts: Timeouts) -> Request:
    """Build the request that starts an invocation.

    Raises:
        ConfigurationError: A parameter is missing or invalid: the model, the input or a tag.
    """
    body = without_unset(params, _KNOWN)
    require_text(body, "model_id", "fal-ai/flux/schnell")
    if not isinstance(body.get("input"), Mapping):
        raise ConfigurationError(
            f"input must be an object, as {{'prompt': '...'}}; got {describe_type(body.get('input'))}."
        )
    if "tags" in body:
        body["tags"] = _copy_tags(body["tags"])
    return build_json_post(_PATH, body, known=_KNOWN - {"input"}, timeouts=timeouts)


def build_status_request(request_id: str, *, timeouts: Timeouts, priority: Priority = "interactive") -> Request:
    """Build the request for the state of an invocation."""
    return _build_get(request_id, "/status", timeouts, priority)


def build_result_request(request_id: str, *, timeouts: Timeouts, priority: Priority = "interactive") -> Request:
    """Build the request for an invocation with its output."""
    return _build_get(request_id, "", timeouts, priority)


def read_invocation(body: bytes) -> AsyncInvocation:
    """Decode the body of a successful response.

    Raises:
        APIStatusError: The body is an error object.
        ResponseDecodeError: The body is not an invocation.
    """
    value = decode_json(body)
    if type(value) is dict and type(value.get("status")) is not str and (error := find_error(value)):
        raise error
    return structure(_with_error_text(value), AsyncInvocation, raw=value)


def build_invocation_error(invocation: AsyncInvocation) -> InvocationFailedError:
    """Return the error of an invocation that ended without completing."""
    reason = invocation.error or "The service does not say why."
    message = f"Invocation {invocation.request_id} of {invocation.model_id} ended as {invocation.status}: {reason}"
    return InvocationFailedError(message, invocation=invocation)


def _build_get(request_id: object, action: str, timeouts: Timeouts, priority: Priority) -> Request:
    if not isinstance(request_id, str) or not request_id:
        raise ConfigurationError(f"request_id must be the id of an invocation; got {describe_type(request_id)}.")
    path = f"{_PATH}/{quote(request_id, safe='')}{action}"
    return Request(method="GET", path=path, timeouts=timeouts, idempotent=True, priority=priority)


def _copy_tags(tags: object) -> list[dict[str, Any]]:
    copies = []
    for position, tag in enumerate(require_iterable("tags", tags, "a list")):
        if not isinstance(tag, Mapping) or not {"key", "value"} <= tag.keys():
            raise ConfigurationError(f"tags[{position}] must be an object with a key and a value.")
        copies.append(dict(tag))
    return copies


def _with_error_text(value: Any) -> Any:
    """Return *value* with its ``error`` as text: the message of the error object, else its JSON."""
    error = value.get("error") if type(value) is dict else None
    if error is None or type(error) is str:
        return value
    message = error.get("message") if type(error) is dict else None
    return value | {"error": message if type(message) is str else encode_json(error).decode()}
