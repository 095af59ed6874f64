"""Asynchronous invocations: the requests that start and poll one, and their response body.

Contract: pure. `jobs` says how a body is read.
Source: ``POST /v1/async-invoke`` of the serverless reference, and its how-to guide for the two ways to poll.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gradient_async._protocol.http.timeouts import Timeouts
from gradient_async._protocol.rate_limit.priority_queue import Priority
from gradient_async._protocol.requests.jobs import JobReader, encode_id
from gradient_async._protocol.requests.json_post import PostBuilder
from gradient_async._protocol.requests.parameters import describe_type, require_iterable
from gradient_async._protocol.requests.request import Request
from gradient_async.errors import ConfigurationError, InvocationFailedError
from gradient_async.models.invocation import AsyncInvocation
from gradient_async.params import InvocationParams

_PATH = "/v1/async-invoke"
_POST = PostBuilder(InvocationParams, keep_nulls=("input",), model_id="fal-ai/flux/schnell")

read_invocation = JobReader(AsyncInvocation)
"""Decodes the body of a successful response."""


def build_invocation_request(params: Mapping[str, Any], *, timeouts: Timeouts) -> Request:
    """Build the request that starts an invocation.

    Raises:
        ConfigurationError: A parameter is missing or invalid: the model, the input or a tag.
    """
    body = _POST.read_params(params)
    if not isinstance(body.get("input"), Mapping):
        raise ConfigurationError(
            f"input must be an object, as {{'prompt': '...'}}; got {describe_type(body.get('input'))}."
        )
    if "tags" in body:
        body["tags"] = _copy_tags(body["tags"])
    return _POST.build_request(_PATH, body, timeouts=timeouts)


def build_status_request(request_id: str, *, timeouts: Timeouts, priority: Priority = "interactive") -> Request:
    """Build the request for the state of an invocation."""
    return _build_get(request_id, "/status", timeouts, priority)


def build_result_request(request_id: str, *, timeouts: Timeouts, priority: Priority = "interactive") -> Request:
    """Build the request for an invocation with its output."""
    return _build_get(request_id, "", timeouts, priority)


def build_invocation_error(invocation: AsyncInvocation) -> InvocationFailedError:
    """Return the error of an invocation that ended without completing."""
    reason = invocation.error or "The service does not say why."
    message = f"Invocation {invocation.request_id} of {invocation.model_id} ended as {invocation.status}: {reason}"
    return InvocationFailedError(message, invocation=invocation)


def _build_get(request_id: object, action: str, timeouts: Timeouts, priority: Priority) -> Request:
    path = f"{_PATH}/{encode_id('request_id', request_id, 'an invocation')}{action}"
    return Request(method="GET", path=path, timeouts=timeouts, idempotent=True, priority=priority)


def _copy_tags(tags: object) -> list[dict[str, Any]]:
    copies = []
    for position, tag in enumerate(require_iterable("tags", tags, "a list")):
        if not isinstance(tag, Mapping) or not {"key", "value"} <= tag.keys():
            raise ConfigurationError(f"tags[{position}] must be an object with a key and a value.")
        copies.append(dict(tag))
    return copies
