"""What the emulator saw: one record per request that reached it with a complete body.

Contract: records hold everything a test may want to assert, the Authorization header included; nothing is
redacted.
Source: none, this is the emulator's own surface.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs


@attrs.define(kw_only=True, eq=False)
class RecordedRequest:
    """One request, and how its answer went.

    Attributes:
        method: The HTTP method, in capitals.
        path: The path without the query, percent-decoded.
        query: The query parameters; the last one wins where a name is repeated.
        headers: The request headers, looked up without regard to case.
        body: The body, as it arrived.
        json: The body decoded as JSON; None if there is none or it is not JSON.
        time: When the request was complete, in epoch seconds of the emulator's clock.
        request_id: The ``x-request-id`` of the answer.
        connection: The number of the TCP connection it came on, from 1.
        reused: Whether that connection had carried a request before.
        generates: Whether its endpoint makes something up, so that a scripted reply can stand in.
        params: What the path's placeholders stood for.
        status: The status of the answer; None if none was sent.
        chunks_sent: How many events of a stream were written; 1 for a whole JSON body.
        bytes_sent: How many bytes of the body were written.
        finished: Whether the answer was ended as planned: everything, or a scripted truncation or reset.
        disconnected: Whether the client went away before that.
    """

    method: str
    path: str
    query: Mapping[str, str] = attrs.field(factory=dict)
    headers: Mapping[str, str] = attrs.field(factory=dict)
    body: bytes = b""
    json: Any = None
    time: float = 0.0
    request_id: str = ""
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
        """The JSON object of the body; empty if the body is anything else."""
        return self.json if isinstance(self.json, dict) else {}

    @property
    def streams(self) -> bool:
        """Whether the body asks for a stream."""
        return self.fields.get("stream") is True
