"""The scripting methods of an emulator: each queues something that happens to coming calls.

Contract: a method only adds to the queues of `Script`, whose module explains the order of replies and faults. In every
method *times* is the number of calls that are affected (None: all from now on) and *path* a shell pattern of their
paths, as in ``"/v1/batches*"``.
Source: none, this is the emulator's own surface.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import attrs

from gradient_async.testing.replies import Reply, Split
from gradient_async.testing.scripting.faults import BEFORE_HEADERS, Disconnect, ErrorEvent, Stall, Truncate
from gradient_async.testing.scripting.queue import (
    Body,
    Failure,
    Handler,
    PathFilter,
    Script,
    encode_body,
)


@attrs.define(kw_only=True)
class ScriptingAPI:
    """The scripting methods, mixed into `Emulator`."""

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
        """Respond to the next call that generates content (chat, messages, responses) with this reply.

        Replies are used in the order in which they were scripted. With *path*, the reply is for any endpoint, even for
        one that the emulator does not have if *path* is its whole path.

        Example: ``gradient.reply("Lisbon.", usage={"completion_tokens": 2})``; a call of a tool:
        ``gradient.reply(tool_calls=[{"name": "weather", "arguments": {"city": "Lisbon"}}])``.

        Args:
            text: The content of the message; None with *tool_calls* for no content, else to keep the default content.
            reasoning: The reasoning content.
            tool_calls: Tool calls as ``{"name", "arguments"}`` or in the API's full shape.
            finish_reason: The finish reason; by default ``stop``, or ``tool_calls`` with tool calls.
            usage: Fields of ``usage`` that replace the counted ones.
            chunks: The chunk objects of a stream, sent verbatim and followed by ``[DONE]``.
            body: The body, sent verbatim: text, bytes or a JSON object.
            content_type: The content type of *body*.
            headers: Headers to add or replace.
            status: The HTTP status.
            split: The size of each write in bytes, or the offsets at which the body is split.
            delay: Seconds of silence before the status line.
            token_delay: Seconds between two events of a stream; None for the emulator's setting.
            times: The number of calls that get this reply; None for all.
            path: A pattern of the paths of the calls.

        Raises:
            ValueError: *split* is less than 1 byte, or *tool_calls* are no calls.
        """
        if isinstance(split, int) and split < 1:
            raise ValueError(f"split must be at least 1 byte, got {split}")
        effect = Reply(
            text=text,
            reasoning=reasoning,
            tool_calls=tool_calls,
            finish_reason=finish_reason,
            usage=usage,
            chunks=chunks,
            body=None if body is None else encode_body(body),
            content_type=content_type,
            headers=headers or {},
            status=status,
            split=split,
            delay=delay,
            token_delay=token_delay,
        )
        matches = PathFilter(path) if path else lambda request: request.generates
        self._script.add_effect("response", effect, times=times, matches=matches)

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
        """Respond to the next call with an error, or interrupt its stream with an error event.

        Example: ``gradient.fail(503, times=2)`` fails two calls; ``gradient.fail(500, after=3)`` breaks the next
        stream after three events.

        Args:
            status: The HTTP status; with *after*, the status whose error code the event carries.
            retry_after: The ``retry-after`` header, in seconds or verbatim.
            times: The number of calls that fail; None for all.
            code: The ``id`` of the error object; None for the one of *status*.
            message: The message of the error object; None for the one of *status*.
            body: A body in place of the API's error object; with *after*, an event in place of the error event.
            content_type: The content type of *body*; by default ``text/html`` for text and bytes.
            headers: Further headers.
            after: The number of events before the error event, in a stream of status 200; None to fail the call.
            shape: The convention of the error event.
            delay: Seconds of silence before the status line.
            path: A pattern of the paths of the calls.
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
            self._script.add_effect("response", failure, times=times, matches=PathFilter(path))
            return
        effect = ErrorEvent(after=after, event=failure.to_event(shape))
        self._script.add_effect("error event", effect, times=times, matches=PathFilter(path))

    def truncate(
        self, after: int = 1, *, mid_event: bool = False, times: int | None = 1, path: str | None = None
    ) -> None:
        """End the body of the next response early but cleanly, so that a stream lacks its ``[DONE]``.

        Example: ``gradient.truncate(after=3)`` sends three events of the next stream.

        Args:
            after: The number of events to send.
            mid_event: Whether the first half of the following event is sent too.
            times: The number of calls that are truncated; None for all.
            path: A pattern of the paths of the calls.
        """
        self._script.add_effect(
            "truncate", Truncate(after=after, mid_event=mid_event), times=times, matches=PathFilter(path)
        )

    def stall(
        self,
        seconds: float,
        *,
        after: int | None = None,
        keepalive: float | None = None,
        times: int | None = 1,
        path: str | None = None,
    ) -> None:
        """Pause the next response, then continue it.

        Example: ``gradient.stall(5, after=2)`` sends two events, waits five seconds and sends the rest.

        Args:
            seconds: The length of the pause.
            after: The number of events before the pause; None to pause before the status line.
            keepalive: Seconds between comment lines sent during the pause; None for silence.
            times: The number of calls that stall; None for all.
            path: A pattern of the paths of the calls.
        """
        effect = Stall(after=_fault_position(after), seconds=seconds, keepalive=None if after is None else keepalive)
        self._script.add_effect("stall", effect, times=times, matches=PathFilter(path))

    def reset(self, after: int | None = None, *, times: int | None = 1, path: str | None = None) -> None:
        """Abort the connection of the next call with a TCP reset.

        Example: ``gradient.reset(after=1)`` sends one event and resets the connection.

        Args:
            after: The number of events before the reset; None to reset before any byte of the response. Without
                *after* a reset takes the place of a reply, so a scripted reply waits for the next call.
            times: The number of calls that are reset; None for all.
            path: A pattern of the paths of the calls.
        """
        kind = "response" if after is None else "reset"
        self._script.add_effect(kind, Disconnect(after=_fault_position(after)), times=times, matches=PathFilter(path))

    def hold_open(self, seconds: float, *, times: int | None = 1, path: str | None = None) -> None:
        """Keep the body of the next response open after its last event, ``[DONE]`` included.

        Example: ``gradient.hold_open(2)`` ends the body two seconds after ``[DONE]``.

        Args:
            seconds: The time before the body ends.
            times: The number of calls that are held open; None for all.
            path: A pattern of the paths of the calls.
        """
        self._script.add_effect("hold", Stall(after=math.inf, seconds=seconds), times=times, matches=PathFilter(path))

    def redirect(self, location: str, *, status: int = 307, times: int | None = 1, path: str | None = None) -> None:
        """Respond to the next call with a redirect.

        Example: ``gradient.redirect("https://example.com/", status=308)``.

        Args:
            location: The ``Location`` header.
            status: The HTTP status.
            times: The number of calls that are redirected; None for all.
            path: A pattern of the paths of the calls.
        """
        effect = Reply(status=status, body=b"", content_type="text/plain", headers={"Location": location})
        self._script.add_effect("response", effect, times=times, matches=PathFilter(path))

    def hang_up(self, *, times: int | None = 1) -> None:
        """Close the next *reused* connection when a request arrives on it, without a response.

        To a client, a connection that closes while its request travels looks the same. Calls on new connections are
        not affected.

        Example: ``gradient.hang_up()`` after a first call closes the connection under the second one.

        Args:
            times: The number of calls that find their connection closed; None for all.
        """
        effect = Disconnect(after=BEFORE_HEADERS, orderly=True)
        self._script.add_effect("response", effect, times=times, matches=lambda request: request.reused)

    def on_request(self, handler: Handler) -> Handler:
        """Call *handler* for each call without a scripted reply; usable as a decorator.

        Example: ``gradient.on_request(lambda request: request.json["messages"][-1]["content"])`` echoes the question.

        Args:
            handler: Takes the `RecordedRequest`. Returns a text, a JSON object or a `Reply` to respond with, or None
                to leave the call to the next handler and at last to the endpoint.

        Returns:
            *handler*.
        """
        self._script.handlers.append(handler)
        return handler

    def clear(self) -> None:
        """Remove every scripted reply, fault and handler that is still queued.

        Example: ``gradient.fail(500, times=None)`` fails every call until ``gradient.clear()``.
        """
        self._script.clear_queues()


def _fault_position(after: int | None) -> int:
    return BEFORE_HEADERS if after is None else after
