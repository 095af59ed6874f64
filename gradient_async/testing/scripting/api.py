"""The verbs of scripting: what a test says to an emulator.

Contract: verbs only fill the queues of `Script`, which says how they compose. In all of them *times* is the
number of calls (None: all from now on) and *path* a pattern that restricts them to some calls, as in
``"/v1/batches*"``.
Source: none, this is the emulator's own surface.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Literal

import attrs

from gradient_async.testing.recorded_request import RecordedRequest
from gradient_async.testing.replies import Reply, Split
from gradient_async.testing.scripting.faults import BEFORE, Interrupt, Sever, Stall, Truncate
from gradient_async.testing.scripting.queue import Body, Condition, Failure, Handler, Script, to_bytes


@attrs.define(kw_only=True)
class Verbs:
    """Everything that can be scripted."""

    _script: Script = attrs.field(factory=Script, init=False, repr=False)

    def reply(
        self,
        text: str | None = None,
        *,
        reasoning: str | None = None,
        tool_calls: Sequence[Mapping[str, Any]] | None = None,
        finish_reason: str | None = None,
        usage: Mapping[str, Any] | None = None,
        chunks: Sequence[Mapping[str, Any]] | None = None,
        body: Body | None = None,
        content_type: str | None = None,
        headers: Mapping[str, str] | None = None,
        status: int = 200,
        split: Split | None = None,
        delay: float = 0.0,
        token_delay: float | None = None,
        times: int | None = 1,
        path: str | None = None,
    ) -> None:
        """Answer the next call that generates something with this; see `Reply` for the arguments."""
        if isinstance(split, int) and split < 1:
            raise ValueError(f"split must be at least 1 byte, got {split}")
        effect = Reply(
            text=text,
            reasoning=reasoning,
            tool_calls=tool_calls,
            finish_reason=finish_reason,
            usage=usage,
            chunks=chunks,
            body=None if body is None else to_bytes(body),
            content_type=content_type,
            headers=headers or {},
            status=status,
            split=split,
            delay=delay,
            token_delay=token_delay,
        )
        self._script.add("answer", effect, times=times, when=_generating(path))

    def fail(
        self,
        status: int = 429,
        *,
        retry_after: float | str | None = None,
        times: int | None = 1,
        code: str | None = None,
        message: str | None = None,
        body: Body | None = None,
        content_type: str | None = None,
        headers: Mapping[str, str] | None = None,
        after: int | None = None,
        shape: Literal["do", "openai", "anthropic"] = "do",
        delay: float = 0.0,
        path: str | None = None,
    ) -> None:
        """Answer the next call with an error, or break its stream with an error event.

        Args:
            status: The HTTP status; with *after*, the status that the event's code stands for.
            retry_after: The ``retry-after`` header, in seconds or verbatim.
            times: How many calls fail; None for all.
            code: The ``id`` of the error; by default the one of the status.
            message: The message of the error.
            body: Another body than the API's error object; with *after*, another event.
            content_type: Its content type; ``text/html`` for text, unless given.
            headers: Further headers.
            after: The number of events after which a stream of status 200 breaks off with the error.
            shape: Whose convention the error event follows.
            delay: Seconds of silence before the status line.
            path: A pattern for the path of the call.
        """
        extra = {} if retry_after is None else {"retry-after": str(retry_after)}
        failure = Failure(
            status=status,
            code=code,
            message=message,
            body=body,
            content_type=content_type,
            headers={**extra, **(headers or {})},
            delay=delay,
        )
        if after is None:
            self._script.add("answer", failure, times=times, when=_on(path))
            return
        effect = Interrupt(after=after, event=failure.event(shape))
        self._script.add("interrupt", effect, times=times, when=_on(path))

    def truncate(
        self, after: int = 1, *, mid_event: bool = False, times: int | None = 1, path: str | None = None
    ) -> None:
        """End the next body cleanly after so many events, or in the middle of the event that follows them."""
        self._script.add("truncate", Truncate(after=after, mid_event=mid_event), times=times, when=_on(path))

    def stall(
        self,
        seconds: float,
        *,
        after: int | None = None,
        keepalive: float | None = None,
        times: int | None = 1,
        path: str | None = None,
    ) -> None:
        """Be silent after so many events (before the status line if None), then go on.

        Args:
            seconds: How long.
            after: The number of events before the silence.
            keepalive: Seconds between comment lines that break the silence.
            times: How many calls stall; None for all.
            path: A pattern for the path of the call.
        """
        effect = Stall(after=_place(after), seconds=seconds, keepalive=None if after is None else keepalive)
        self._script.add("stall", effect, times=times, when=_on(path))

    def reset(self, after: int | None = None, *, times: int | None = 1, path: str | None = None) -> None:
        """Abort the connection after so many events; before any byte of the answer if None."""
        kind = "answer" if after is None else "reset"
        self._script.add(kind, Sever(after=_place(after)), times=times, when=_on(path))

    def hold_open(self, seconds: float, *, times: int | None = 1, path: str | None = None) -> None:
        """Keep the next body open for so long after its last event, ``[DONE]`` included."""
        self._script.add("hold", Stall(after=math.inf, seconds=seconds), times=times, when=_on(path))

    def redirect(self, location: str, *, status: int = 307, times: int | None = 1, path: str | None = None) -> None:
        """Answer the next call with a redirect."""
        effect = Reply(status=status, body=b"", content_type="text/plain", headers={"Location": location})
        self._script.add("answer", effect, times=times, when=_on(path))

    def hang_up(self, *, times: int | None = 1) -> None:
        """Close the next connection that is *reused*, instead of answering: what a stale keep-alive does."""
        effect = Sever(after=BEFORE, gently=True)
        self._script.add("answer", effect, times=times, when=_on_reused)

    def on_request(self, handler: Handler) -> Handler:
        """Ask *handler* for the answer of every call that is left to it; usable as a decorator.

        Its result is a text, a JSON object or a `Reply` to answer with; None passes the call on.
        """
        self._script.handlers.append(handler)
        return handler

    def clear(self) -> None:
        """Forget everything that was scripted and did not happen yet."""
        self._script.clear()


def _place(after: int | None) -> int:
    return BEFORE if after is None else after


def _on(path: str | None) -> Condition:
    return lambda request: path is None or fnmatchcase(request.path, path)


def _generating(path: str | None) -> Condition:
    return _on(path) if path else lambda request: request.generates


def _on_reused(request: RecordedRequest) -> bool:
    return request.reused
