"""The emulator's record of one request.

Contract: a record holds everything that a test may assert, the Authorization header included; nothing is redacted. It
is made once the request body is complete, and updated while the response is sent.
Source: none, this is the emulator's own surface.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

_ANTHROPIC = "/v1/messages"


@attrs.define(kw_only=True, eq=False)
class RecordedRequest:
    """One request, and how its response went.

    Attributes:
        method: The HTTP method, in capitals.
        path: The path without the query, percent-decoded.
        query: The query parameters; of a repeated name, the last value.
        headers: The request headers; lookups ignore case.
        body: The request body in bytes.
        json: The body decoded as JSON; None for an empty body and for invalid JSON.
        time: The arrival of the last byte, in epoch seconds of the emulator's clock.
        request_id: The ``x-request-id`` of the response.
        agent: Whether it was sent to the agent host.
        connection: The number of the TCP connection, counted from 1.
        reused: Whether the connection had carried a request before.
        generates: Whether the endpoint generates content, so that `Emulator.reply` applies to it.
        params: The values of the placeholders in the endpoint's path.
        status: The HTTP status of the response; None before its headers are sent.
        chunks_sent: The number of stream events written; 1 for a complete JSON body.
        bytes_sent: The number of body bytes written.
        finished: Whether the response ended as planned: complete, or with a scripted truncation or reset.
        disconnected: Whether the client closed the connection earlier.
    """

    method: str
    path: str
    query: Mapping[str, str] = attrs.field(factory=dict)
    headers: Mapping[str, str] = attrs.field(factory=dict)
    body: bytes = b""
    json: Any = None
    time: float = 0.0
    request_id: str = ""
    agent: bool = False
    connection: int = 0
    reused: bool = False
    generates: bool = False
    params: Mapping[str, str] = attrs.field(factory=dict)
    status: int | None = None
    chunks_sent: int = 0
    bytes_sent: int = 0
    finished: bool = False
    disconnected: bool = False

    @property
    def fields(self) -> dict[str, Any]:
        """The JSON object of the body; empty for any other body."""
        return self.json if isinstance(self.json, dict) else {}

    @property
    def key(self) -> str:
        """The key: the bearer, or for messages also ``x-api-key``; empty without one."""
        scheme, _, key = self.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return key.strip()
        return self.headers.get("x-api-key", "") if self.path == _ANTHROPIC else ""

    @property
    def streams(self) -> bool:
        """Whether the body asks for a stream."""
        return self.fields.get("stream") is True

    @property
    def short_id(self) -> str:
        """The first 24 hex digits of the request id, for ids such as ``chatcmpl-...``."""
        return self.request_id.replace("-", "")[:24]
