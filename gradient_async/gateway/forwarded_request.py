"""Requests of callers as requests of the client: the body goes on as it came, byte for byte.

Contract: pure. Of a body only the fields are decoded that the limiter needs, so fields that this library does not know
pass as they are. A body that is not JSON passes too: the service says what is wrong with it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import attrs
import msgspec
from multidict import MultiMapping

from gradient_async._protocol.http.timeouts import Timeouts
from gradient_async._protocol.requests.json_post import estimate_tokens
from gradient_async._protocol.requests.raw import IDEMPOTENT
from gradient_async._protocol.requests.request import Request
from gradient_async.gateway.caller_wishes import read_priority, read_timeouts
from gradient_async.gateway.headers import OWN_HEADERS, pick_headers

_JSON = "application/json"
_ANY_TYPE = "*/*"


_ABSENT = msgspec.Raw()


class _BodyFields(msgspec.Struct):
    """The fields of a JSON body that the limiter needs; any other is skipped without being decoded."""

    model: Any = None
    model_id: Any = None
    max_tokens: Any = None
    max_completion_tokens: Any = None
    max_output_tokens: Any = None
    messages: msgspec.Raw = _ABSENT


_DECODER = msgspec.json.Decoder(_BodyFields)
_NO_FIELDS = _BodyFields()


@attrs.frozen(kw_only=True, repr=False)
class Refusal:
    """The error response of the service: its status, headers and body as they arrived."""

    status: int
    raw_headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


class ForwardedRequest(Request):
    """A request of a caller.

    Attributes:
        refusal: The error response of the last attempt, if there was one.
    """

    __slots__ = ("refusal",)

    def __init__(self, **fields: Any) -> None:
        super().__init__(**fields)
        self.refusal: Refusal | None = None


def build_forwarded_request(
    method: str, path: str, body: bytes, headers: MultiMapping[str], timeouts: Timeouts
) -> ForwardedRequest:
    """Build the request that goes upstream; *path* includes the query.

    Raises:
        ConfigurationError: A header for the gateway has an invalid value.
    """
    content_type = headers.get("Content-Type", _JSON)
    is_json = _is_json(content_type)
    fields = _decode_fields(body) if is_json else _NO_FIELDS
    own = dict(pick_headers(headers, OWN_HEADERS))
    if body and not is_json:
        own["Content-Type"] = content_type
    model = fields.model or fields.model_id
    return ForwardedRequest(
        method=method,
        path=path,
        body=body if body or method == "POST" else None,
        headers=own,
        content_type=_JSON if is_json else None,
        timeouts=read_timeouts(headers, timeouts),
        idempotent=method in IDEMPOTENT,
        stream=True,  # whatever comes is passed on while it arrives
        accept=headers.get("Accept", _ANY_TYPE),
        priority=read_priority(headers),
        model=model if isinstance(model, str) and model else None,
        tokens=_estimate_tokens(body, fields) if is_json and body else 0,
    )


@lru_cache(maxsize=64)
def _is_json(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() == _JSON


def _decode_fields(body: bytes) -> _BodyFields:
    try:
        return _DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _NO_FIELDS


def _estimate_tokens(body: bytes, fields: _BodyFields) -> int:
    limit = fields.max_tokens or fields.max_completion_tokens or fields.max_output_tokens
    return estimate_tokens(body, limit, has_messages=fields.messages is not _ABSENT)
