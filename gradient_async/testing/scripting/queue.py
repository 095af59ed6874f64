"""The queues of scripted responses and faults.

Contract: each call takes at most one scripted response and at most one fault of each kind, oldest first.

- Responses are replies, failures and disconnects before the status line, in one queue.
- Faults (truncate, stall, reset, an error event, hold_open) have one queue for each kind. They apply to any response
  with content, scripted or not. A failure takes none: they wait for the next response.
- A request that is refused earlier (bad key, over the limit, malformed) takes nothing.

Example: ``truncate(after=1)``, ``fail(503)``, ``reply("Hello")``, then three calls. The first call takes the failure;
the second takes the reply and the truncation; the third has the queues empty and gets the endpoint's own response.
Source: none, this is the emulator's own surface.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Any

import attrs

from gradient_async.testing.recorded_request import RecordedRequest
from gradient_async.testing.replies import (
    JSON,
    Reply,
    Response,
    encode_event,
    encode_json,
    error_body,
    error_event,
    error_response,
)
from gradient_async.testing.scripting.faults import Disconnect, Fault, FaultPlan

Body = str | bytes | Mapping[str, Any]
Handler = Callable[[RecordedRequest], "Reply | Mapping[str, Any] | str | None"]
RequestFilter = Callable[[RecordedRequest], bool]


@attrs.frozen
class PathFilter:
    """Takes requests by a shell pattern of their path; None takes every request."""

    pattern: str | None = None

    def __call__(self, request: RecordedRequest) -> bool:
        """Whether *request* is taken."""
        return self.pattern is None or fnmatchcase(request.path, self.pattern)


@attrs.frozen(kw_only=True)
class Failure:
    """A scripted error response; the fields are those of `ScriptingAPI.fail`."""

    status: int
    code: str | None = None
    message: str | None = None
    body: Body | None = None
    content_type: str | None = None
    headers: Mapping[str, str] = attrs.field(factory=dict)
    delay: float = 0.0

    def rate_limit_headers(self, counted: Mapping[str, str]) -> Mapping[str, str]:
        """Return the rate-limit headers of this response, given the *counted* ones.

        A scripted 429 is not in the counts. With a ``retry-after`` it stands for a burst refusal: nothing remains.
        Without one it could only stand for the hourly limit, and the counted reset would make the client wait an hour:
        it has no rate-limit headers.
        """
        if self.status != 429:
            return counted
        if not any(name.lower() == "retry-after" for name in self.headers):
            return {}
        return {**counted, "ratelimit-remaining": "0"}

    def to_response(self, request_id: str) -> Response:
        """Build the response: the API's error object, or *body* if one is scripted."""
        response = error_response(self.status, request_id=request_id, code=self.code, message=self.message)
        if self.body is None:
            return attrs.evolve(response, headers=self.headers, delay=self.delay)
        is_text = isinstance(self.body, str | bytes)
        return attrs.evolve(
            response,
            pieces=(encode_body(self.body),),
            content_type=self.content_type or ("text/html" if is_text else response.content_type),
            headers=self.headers,
            delay=self.delay,
        )

    def to_event(self, shape: str) -> bytes:
        """Build the stream event of this failure; see `error_event` for *shape*."""
        if isinstance(self.body, str | bytes):
            return encode_body(self.body)
        if self.body is not None:
            return encode_event(self.body)
        error = error_body(self.status, code=self.code, message=self.message)
        return error_event(shape, error)


ScriptedResponse = Reply | Failure | Disconnect


@attrs.define(kw_only=True, eq=False)
class _Entry:
    effect: ScriptedResponse | Fault
    kind: str
    remaining: float
    matches: RequestFilter


@attrs.define
class Script:
    """The queues, and the handlers for calls without a scripted response."""

    handlers: list[Handler] = attrs.field(factory=list)
    _entries: list[_Entry] = attrs.field(factory=list, init=False, repr=False)

    def add_effect(
        self, kind: str, effect: ScriptedResponse | Fault, *, times: int | None, matches: RequestFilter
    ) -> None:
        """Queue *effect* for the next *times* calls that match; for all of them if None.

        Args:
            kind: The queue: ``"response"``, or any other name for a kind of fault.
            effect: The scripted response or fault.
            times: The number of calls.
            matches: Tells whether a call is affected.
        """
        remaining = math.inf if times is None else times
        self._entries.append(_Entry(effect=effect, kind=kind, remaining=remaining, matches=matches))

    def clear_queues(self) -> None:
        """Empty the queues and remove the handlers."""
        self._entries.clear()
        self.handlers.clear()

    def serves_path(self, path: str) -> bool:
        """Whether a response is scripted for exactly this *path*."""
        filters = (entry.matches for entry in self._entries if entry.kind == "response")
        return any(isinstance(each, PathFilter) and each.pattern == path for each in filters)

    def take_response(self, request: RecordedRequest) -> ScriptedResponse | None:
        """Take the scripted response for *request* from the queue, else from the first handler that returns one."""
        scripted = self._take_effect("response", request)
        if isinstance(scripted, Reply | Failure | Disconnect):
            return scripted
        results = (handler(request) for handler in self.handlers)
        return next((_to_reply(result) for result in results if result is not None), None)

    def take_faults(self, request: RecordedRequest) -> FaultPlan:
        """Take the oldest matching fault of each kind from the queues."""
        kinds = dict.fromkeys(entry.kind for entry in self._entries if entry.kind != "response")
        taken = (self._take_effect(kind, request) for kind in kinds)
        return FaultPlan([fault for fault in taken if isinstance(fault, Fault)])

    def _take_effect(self, kind: str, request: RecordedRequest) -> ScriptedResponse | Fault | None:
        matching = (entry for entry in self._entries if entry.kind == kind and entry.matches(request))
        entry = next(matching, None)
        if entry is None:
            return None
        entry.remaining -= 1
        if entry.remaining <= 0:
            self._entries.remove(entry)
        return entry.effect


def encode_body(body: Body) -> bytes:
    """Return the bytes of *body*: text as UTF-8, an object as JSON."""
    if isinstance(body, bytes):
        return body
    return body.encode() if isinstance(body, str) else encode_json(body)


def _to_reply(result: Reply | Mapping[str, Any] | str) -> Reply:
    if isinstance(result, Reply):
        return result
    return Reply(text=result) if isinstance(result, str) else Reply(body=encode_json(result), content_type=JSON)
