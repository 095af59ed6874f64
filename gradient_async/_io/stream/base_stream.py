"""A stream of events that cannot leak or lie, whatever its events are.

Contract: the connection is free as soon as nobody can want it any more: at the end, on an error, when the reading
task is cancelled, when the loop over the stream is left, when the last reference goes, on `cancel` and `close` from
anywhere. None of that needs an await. A stream that ends before it is complete raises; what arrived stays in
`snapshot`. Nothing is ever sent twice once a byte was received.

Who owns the connection: an ``async with`` block if there is one, else the ``async for`` loop that reads the stream:
leaving it gives the connection up. That is why this is a class and no async generator, whose cleanup waits for
somebody to run it, and why no time limit or cancel scope is open while the consumer's own code runs.

What the events are, what they add up to and when that is complete is the business of a decoder, an accumulator and the
few methods that a subclass defines.
"""

from __future__ import annotations

import copy
import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, Self, TypeVar

from gradient_async._io.deadline_timer import OpenBlock
from gradient_async._io.http.attempt_timer import body_timeout_error
from gradient_async._io.http.exchange import MAX_JSON_BYTES, READ_ERRORS
from gradient_async._io.http.reply import Reply
from gradient_async._io.stream.idle_watchdog import IdleWatchdog
from gradient_async._io.stream.iterators import EventIterator, SSEIterator, TextIterator
from gradient_async._io.stream.tee import TeeBranch, tee
from gradient_async._protocol.stream.interfaces import Accumulator, Decoder, Event
from gradient_async._protocol.stream.sse_encoder import SSEEncoder
from gradient_async.errors import (
    APIConnectionError,
    GradientError,
    StreamBusyError,
    StreamTruncatedError,
)
from gradient_async.models.response_meta import ResponseMeta

if TYPE_CHECKING:  # a stream loads the classes of its own answers alone
    from gradient_async.models.chat import ChatCompletion
    from gradient_async.models.messages import MessageReply
    from gradient_async.models.responses import ResponseReply

Outcome = Literal["running", "done", "length", "tool_calls", "content_filter", "cancelled", "truncated", "error"]
Opener = Callable[[], Awaitable[Reply]]
E = TypeVar("E", bound=Event)
S = TypeVar("S", bound="ChatCompletion | MessageReply | ResponseReply")
DRAIN_SECONDS = 0.25
EVENT_STREAM_TYPES = ("text/event-stream", "")


class BaseStream(ABC, Generic[E, S]):
    """The events of an answer as they arrive, and the answer they add up to.

    Attributes:
        outcome: ``"running"``, then how it ended: ``"done"``, ``"length"``, ``"tool_calls"``, ``"content_filter"``,
            ``"cancelled"``, ``"truncated"`` or ``"error"``.
    """

    __slots__ = (
        "__weakref__",
        "_accumulator",
        "_at_eof",
        "_busy",
        "_decoder",
        "_entered",
        "_failure",
        "_meta",
        "_opener",
        "_opening",
        "_owner",
        "_ready",
        "_reply",
        "_watchdog",
        "outcome",
    )
    _relay: ClassVar[SSEEncoder]
    """How the stream is passed on."""

    def __init__(self, opener: Opener, decoder: Decoder[E], accumulator: Accumulator[E, S]) -> None:
        self.outcome: Outcome = "running"
        self._meta: ResponseMeta | None = None
        self._opener: Opener | None = opener
        self._opening: OpenBlock | None = None
        self._decoder = decoder
        self._accumulator = accumulator
        self._ready: Iterator[E] = iter(())
        self._reply: Reply | None = None
        self._watchdog: IdleWatchdog | None = None
        self._at_eof = False
        self._busy = False
        self._entered = False
        self._owner = 0
        self._failure: GradientError | None = None

    @abstractmethod
    def _whole(self, body: bytes, content_type: str) -> Iterable[E]:
        """Return the events of a whole answer that came where a stream was due; raise if it is none."""

    def _verdict(self) -> GradientError | None:
        """Return why the stream, whose body has ended, is not complete; None if it is."""
        if self._decoder.error is not None:
            return self._decoder.error
        if self._decoder.done or self._accumulator.is_complete:
            return None
        return StreamTruncatedError(
            "The stream ended before it was complete: no event said how the answer ends. "
            "What arrived is in .snapshot; send the request again for a whole answer."
        )

    @abstractmethod
    def _ending(self) -> Outcome:
        """Return how a complete stream ended."""

    @abstractmethod
    def _has_token(self, event: E) -> bool:
        """Whether *event* brings anything of the answer, not just its frame."""

    @abstractmethod
    def _output_tokens(self) -> int | None:
        """Return how many tokens the answer has, None if that is not known."""

    def __aiter__(self) -> EventIterator[E]:
        return EventIterator(self)

    def __anext__(self) -> Coroutine[Any, Any, E]:
        return self.next_event()

    def text(self) -> TextIterator[E]:
        """Iterate over the text as it arrives (of several choices, the first one's), leaving out what has none."""
        return TextIterator(self)

    def sse(self) -> SSEIterator[E]:
        """Iterate over the stream as bytes of server-sent events in the service's own form, to pass it on.

        The end is told as the service tells it; an error comes as an event and ends the iteration without raising.
        """
        return SSEIterator(self, self._relay)

    def tee(self, n: int, *, buffer: int = 256) -> tuple[TeeBranch[E], ...]:
        """Return *n* iterators over the events, for as many tasks.

        Args:
            n: How many.
            buffer: How many events the fastest may be ahead of the slowest before it waits.
        """
        return tee(self, n, buffer)

    async def _read_to_end(self) -> S:
        async for _ in self:
            pass
        if self._failure is not None:
            raise self._failure
        return self.snapshot

    @property
    def meta(self) -> ResponseMeta:
        """Request id, rate limits, attempts and timings, as far as they are known."""
        if self._meta is None:
            self._meta = ResponseMeta()
        return self._meta

    @property
    def snapshot(self) -> S:
        """The answer as far as it was read; once the stream has ended, as far as it arrived."""
        answer = self._accumulator.snapshot()
        answer.meta = self.meta
        return answer

    def cancel(self) -> None:
        """Stop, from any task: iteration ends cleanly and the partial answer stays in `snapshot`."""
        self._end("cancelled")
        if self._opening is not None:
            self._opening.stop()

    def close(self) -> None:
        """Give the connection up, now, if it is still held. Safe at any time, and twice."""
        self.cancel()

    async def aclose(self) -> None:
        """Do what `close` does, for ``contextlib.aclosing``."""
        self.cancel()

    async def __aenter__(self) -> Self:
        await self.open()
        self._entered = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cancel()

    def __del__(self) -> None:
        if self.outcome == "running" and self._reply is not None:
            self.cancel()
            warnings.warn(
                f"A {type(self).__name__} was dropped while it was open; read it to the end, use 'async with', or "
                "close it.",
                ResourceWarning,
                stacklevel=2,
            )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.outcome}, request_id={self.meta.request_id!r}>"

    async def open(self) -> None:
        """Send the request, unless that was done, and return when its status line has arrived."""
        if self._opener is None:
            return
        self._begin_turn()
        try:
            await self._open()
        except BaseException as error:
            if self._is_to_be_raised(error):
                raise
        finally:
            self._end_turn()

    async def next_event(self, reader: object = None) -> E:
        """Return the next event; *reader*, if any, stays alive until then, and is the loop that reads the stream."""
        event = next(self._ready, None)
        if event is None:
            event = await self._fill(reader)
        self._accumulator.add_decoded(event)
        return event

    def iterator_closed(self, reader: object) -> None:
        """Note that a loop over the stream was left; unless a block owns it, or another loop, nobody can want it now.

        A loop that was refused, because another was reading, leaves too.
        """
        if not self._entered and self._owner in (0, id(reader)):
            self.cancel()

    async def _fill(self, reader: object) -> E:
        """Return the first of the events that arrive next, with the others ready.

        Every coroutine between here and the socket is made anew for each read and, with a thousand paced streams, is
        cold in memory: so there is only one more of ours.

        Raises:
            StopAsyncIteration: The stream has ended.
        """
        event = None
        if self.outcome == "running":
            self._begin_turn()
            self._owner = 0 if reader is None else id(reader)  # and no reference: it goes when its loop is left
            try:
                if self._opener is not None:
                    await self._open()
                while (event := next(self._ready, None)) is None and self.outcome == "running":
                    if self._at_eof or self._decoder.done or self._decoder.error is not None:
                        await self._finish()
                    else:
                        self._take(await self._next_block())
            except BaseException as error:
                if self._is_to_be_raised(error):
                    raise
            finally:
                self._end_turn()
        if event is None:
            raise StopAsyncIteration
        return event

    def _begin_turn(self) -> None:
        if self._busy:
            raise StreamBusyError("Another task is reading this stream; give each a stream of its own with tee(n).")
        self._busy = True

    def _end_turn(self) -> None:
        self._busy = False
        if self._watchdog is not None:
            self._watchdog.asking_since = None

    def _is_to_be_raised(self, error: BaseException) -> bool:
        """End the stream for what went wrong in a turn; say whether that is news, and no consequence of its end."""
        if not isinstance(error, GradientError):
            self._end("cancelled")
            return True
        if self.outcome != "running":
            return False
        self._fail(error)
        return True

    async def _open(self) -> None:
        opener, self._opener = self._opener, None
        reply = None
        with OpenBlock() as self._opening:
            reply = await opener() if opener is not None else None
        if reply is None:
            return
        self._reply, self._meta = reply, reply.meta
        if self.outcome != "running":
            reply.exchange.close()
            self._tell_end(reply, None)
            return
        self._watchdog = IdleWatchdog(reply.exchange)
        self._watchdog.start()
        if (content_type := reply.exchange.content_type) not in EVENT_STREAM_TYPES:
            self._watchdog.asking_since = math.inf
            await self._take_whole(content_type)

    async def _take_whole(self, content_type: str) -> None:
        """Accept a whole answer where a stream was due, and nothing else."""
        body = b""
        while (block := await self._next_block()) and len(body) <= MAX_JSON_BYTES:
            body += block
        self._ready = iter(self._whole(body, content_type))
        self._decoder.done = self._at_eof = True

    def _take(self, block: bytes) -> None:
        """Decode what arrived; nothing is what arrives at the end."""
        if self.outcome != "running":
            return  # it was cancelled while the block was on its way from the socket to here
        if block:
            self._ready = self._decoder.feed(block)
        else:
            self._at_eof = True
            self._ready = self._decoder.feed_eof()
        if (reply := self._reply) is not None and reply.meta.timings.first_token is None:
            self._note_first_token(reply)

    async def _next_block(self) -> bytes:
        watchdog = self._watchdog
        assert watchdog is not None  # noqa: S101 - set when it was opened
        exchange = watchdog.exchange
        watchdog.waiting_since = now = exchange.time()
        if watchdog.asking_since is None:
            watchdog.asking_since = now
        try:
            return await exchange.read()
        except READ_ERRORS as caught:
            error = exchange.translate_error(caught)
        finally:
            watchdog.waiting_since = None
        if watchdog.expired is not None:
            raise body_timeout_error(watchdog.expired)
        if not isinstance(error, APIConnectionError):
            raise error
        if self._accumulator.is_complete:
            return b""
        raise StreamTruncatedError(f"{error} What arrived is in .snapshot; send the request again for a whole answer.")

    async def _finish(self) -> None:
        """End the stream by its verdict, with the connection ready for the next request."""
        if problem := self._verdict():
            raise problem
        assert self._reply is not None  # noqa: S101 - a verdict is about what was received
        if not self._reply.exchange.at_eof:
            await self._reply.exchange.drain_body(DRAIN_SECONDS)
        self._end(self._ending())

    def _fail(self, error: GradientError) -> None:
        self._end("truncated" if isinstance(error, StreamTruncatedError) else "error", error)
        self._failure = copy.copy(error)  # without its traceback, which refers to the stream

    def _end(self, outcome: Outcome, error: GradientError | None = None) -> None:
        """Settle the outcome and let go of the connection; what arrived and was not read joins the snapshot."""
        if self.outcome != "running":
            return
        self.outcome, self._opener = outcome, None
        for event in self._ready:
            self._accumulator.add_decoded(event)
        if self._watchdog is not None:
            self._watchdog.stop()
        if self._reply is not None:
            self._reply.exchange.close()
            self._note_total(self._reply)
            if error is not None:
                error.request_id, error.attempts = error.request_id or self.meta.request_id, self.meta.attempts
                error.snapshot = self.snapshot
            self._tell_end(self._reply, error)

    def _tell_end(self, reply: Reply, error: GradientError | None) -> None:
        if reply.on_end is not None:
            reply.on_end(self.snapshot, self.outcome, error)

    def _note_first_token(self, reply: Reply) -> None:
        events = list(self._ready)
        self._ready = iter(events)
        if any(map(self._has_token, events)):
            reply.meta.timings.first_token = reply.exchange.time() - reply.started_at

    def _note_total(self, reply: Reply) -> None:
        timings = self.meta.timings
        timings.total = reply.exchange.time() - reply.started_at
        tokens = self._output_tokens()
        if tokens is not None and timings.first_token is not None and timings.total > timings.first_token:
            timings.tokens_per_second = tokens / (timings.total - timings.first_token)
