"""What a test scripted: one queue of answers, and one of faults for each kind of fault.

Contract: each call takes at most one answer and at most one fault of each kind, oldest first. Answers are
replies, failures and hang-ups before the status line, in one queue: `fail()` then `reply()` is a failure,
then a reply. Faults (truncate, stall, reset, an error inside a stream, hold_open) go with whatever reply the
call gets, scripted or not; a failure takes none along, they wait for the next reply. A request that is
refused before that (no key, over the limit, malformed) takes nothing.
Source: none, this is the emulator's own surface.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import attrs

from gradient_async.testing.recorded_request import RecordedRequest
from gradient_async.testing.replies import JSON, Answer, Reply, encode, error_answer, error_body, error_event, event
from gradient_async.testing.scripting.faults import Fault, Plan, Sever

Body = str | bytes | Mapping[str, Any]
Handler = Callable[[RecordedRequest], "Reply | Mapping[str, Any] | str | None"]


@attrs.frozen(kw_only=True)
class Failure:
    """A scripted error response."""

    status: int
    code: str | None = None
    message: str | None = None
    body: Body | None = None
    content_type: str | None = None
    headers: Mapping[str, str] = attrs.field(factory=dict)
    delay: float = 0.0

    def limits(self, counted: Mapping[str, str]) -> Mapping[str, str]:
        """Return the rate-limit headers, given the *counted* ones, which know nothing of a scripted 429.

        With a ``retry-after`` it is a burst refusal, which says that nothing remains. Without, only the
        hourly limit could be meant, and the counted reset would tell the client to wait an hour: it gets no
        header.
        """
        if self.status != 429:
            return counted
        if not any(name.lower() == "retry-after" for name in self.headers):
            return {}
        return {**counted, "ratelimit-remaining": "0"}

    def answer(self, request_id: str) -> Answer:
        """Return the response: the API's error object, unless a body was given."""
        plain = error_answer(self.status, request_id=request_id, code=self.code, message=self.message)
        if self.body is None:
            return attrs.evolve(plain, headers=self.headers, delay=self.delay)
        is_text = isinstance(self.body, str | bytes)
        return attrs.evolve(
            plain,
            pieces=(to_bytes(self.body),),
            content_type=self.content_type or ("text/html" if is_text else plain.content_type),
            headers=self.headers,
            delay=self.delay,
        )

    def event(self, shape: str) -> bytes:
        """Return the event that stands for this inside a stream; see `error_event` for *shape*."""
        if isinstance(self.body, str | bytes):
            return to_bytes(self.body)
        if self.body is not None:
            return event(self.body)
        error = error_body(self.status, code=self.code, message=self.message)
        return error_event(shape, error)


Scripted = Reply | Failure | Sever


Condition = Callable[[RecordedRequest], bool]


@attrs.define(kw_only=True, eq=False)
class _Entry:
    effect: Scripted | Fault
    kind: str
    left: float
    when: Condition


@attrs.define
class Script:
    """The queues, and the handlers that are asked when the queue of answers has nothing for a call."""

    handlers: list[Handler] = attrs.field(factory=list)
    _entries: list[_Entry] = attrs.field(factory=list, init=False, repr=False)

    def add(self, kind: str, effect: Scripted | Fault, *, times: int | None, when: Condition) -> None:
        """Queue *effect* for *times* calls for which *when* holds; for all of them if None."""
        left = math.inf if times is None else times
        self._entries.append(_Entry(effect=effect, kind=kind, left=left, when=when))

    def clear(self) -> None:
        """Forget everything that did not happen yet."""
        self._entries.clear()
        self.handlers.clear()

    def next_answer(self, request: RecordedRequest) -> Scripted | None:
        """Take the scripted answer of *request* out of the queue, or ask the handlers for one."""
        scripted = self._take("answer", request)
        if isinstance(scripted, Reply | Failure | Sever):
            return scripted
        answers = (handler(request) for handler in self.handlers)
        return next((_reply(answer) for answer in answers if answer is not None), None)

    def next_faults(self, request: RecordedRequest) -> Plan:
        """Take the first fault of each kind out of the queues."""
        kinds = dict.fromkeys(entry.kind for entry in self._entries if entry.kind != "answer")
        taken = (self._take(kind, request) for kind in kinds)
        return Plan([fault for fault in taken if isinstance(fault, Fault)])

    def _take(self, kind: str, request: RecordedRequest) -> Scripted | Fault | None:
        entry = next(self._matching(kind, request), None)
        if entry is None:
            return None
        entry.left -= 1
        if entry.left <= 0:
            self._entries.remove(entry)
        return entry.effect

    def _matching(self, kind: str, request: RecordedRequest) -> Iterator[_Entry]:
        return (entry for entry in self._entries if entry.kind == kind and entry.when(request))


def to_bytes(body: Body) -> bytes:
    """Return *body* as it goes over the wire."""
    if isinstance(body, bytes):
        return body
    return body.encode() if isinstance(body, str) else encode(body)


def _reply(answer: Reply | Mapping[str, Any] | str) -> Reply:
    if isinstance(answer, Reply):
        return answer
    return Reply(text=answer) if isinstance(answer, str) else Reply(body=encode(answer), content_type=JSON)
