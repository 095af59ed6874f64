"""Reading a response as events: open it, read and decode its blocks, and end it exactly once.

Contract: one task reads at a time. A stream that ends before it is complete raises; the events that arrived stay in
`snapshot`. No request is repeated once a byte of the response was received. Ending a stream needs no await.

State of a stream, kept in `outcome`::

    "running" --(last event)-----------------> "done", "length", "tool_calls", "content_filter"
              --(cancel, close, left loop)---> "cancelled"
              --(body ends too early)--------> "truncated"
              --(any other GradientError)----> "error"
"""

from __future__ import annotations

import copy
import math
from collections.abc import Awaitable, Callable, Iterable, Iterator
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from gradient_async._io.deadline_timer import OpenBlock
from gradient_async._io.event_loops import require_own_thread
from gradient_async._io.http.exchange import MAX_JSON_BYTES
from gradient_async._io.http.reply import Reply
from gradient_async._io.stream.idle_watchdog import IdleWatchdog
from gradient_async._protocol.stream.sse import begins_event_stream
from gradient_async.errors import GradientError, InterruptedCall, ProtocolError, StreamBusyError, StreamTruncatedError
from gradient_async.models.response_meta import ResponseMeta

if TYPE_CHECKING:
    from gradient_async._protocol.stream.interfaces import Accumulator, Decoder, StreamOutcome

if TYPE_CHECKING:  # each stream imports the classes of its own events only
    from gradient_async.models.chat import ChatCompletion
    from gradient_async.models.images import ImageList
    from gradient_async.models.messages import MessageReply
    from gradient_async.models.raw_reply import RawReply
    from gradient_async.models.responses import ResponseReply

Opener = Callable[[], Awaitable[Reply]]
E = TypeVar("E")
S = TypeVar("S", bound="ChatCompletion | ImageList | MessageReply | ResponseReply | RawReply")
Follow = Callable[[Iterable[E]], Iterator[E]]
"""Iterates over decoded events; each is added to the result when it is taken. It must not refer to the stream."""
DRAIN_SECONDS = 0.25
EVENT_STREAM_TYPES = ("text/event-stream", "")


class StreamReader(Generic[E, S]):
    """Reads events of class *E* from a response, and assembles them into a result of class *S*.

    A subclass passes the decoder, the accumulator and a function that returns the events of a JSON body, sent in place
    of a stream; it overrides the few methods that depend on the kind of event.

    Attributes:
        outcome: ``"running"``, or how the stream ended.
        pending: Iterates over the events that were decoded; each is added to the result when it is taken.
    """

    __slots__ = (
        "_accumulator",
        "_at_eof",
        "_decode_json_body",
        "_decoder",
        "_failure",
        "_follow",
        "_has_reader",
        "_in_block",
        "_meta",
        "_open_block",
        "_opener",
        "_reader_id",
        "_reply",
        "_watchdog",
        "outcome",
        "pending",
    )

    def __init__(
        self,
        opener: Opener,
        decoder: Decoder[E],
        accumulator: Accumulator[S],
        decode_json_body: Callable[[bytes, str], Iterable[E]],
        follow: Follow[E],
    ) -> None:
        self.outcome: StreamOutcome = "running"
        self._meta: ResponseMeta | None = None
        self._opener: Opener | None = opener
        self._open_block: OpenBlock | None = None
        self._decoder = decoder
        self._accumulator = accumulator
        self._decode_json_body = decode_json_body
        self._follow = follow
        self.pending: Iterator[E] = iter(())
        self._reply: Reply | None = None
        self._watchdog: IdleWatchdog | None = None
        self._at_eof = False
        self._has_reader = False
        self._in_block = False  # these two tell BaseStream who owns the connection
        self._reader_id = 0
        self._failure: GradientError | None = None

    def _final_outcome(self) -> StreamOutcome:
        """Return the outcome of a complete stream."""
        return "done"

    def _has_token(self, event: E) -> bool:  # noqa: ARG002 - for subclasses
        """Whether *event* carries generated output."""
        return True

    def _output_tokens(self) -> int | None:
        """Return the number of generated tokens, None if the service did not report it."""
        return None

    def _completion_error(self) -> GradientError | None:
        """Check a stream after the end of its body: return its error, None if it is complete."""
        if self._decoder.error is not None:
            return self._decoder.error
        if self._decoder.done or self._accumulator.is_complete:
            return None
        return StreamTruncatedError(
            "The stream ended before it was complete: no event said how the response ends. "
            "What arrived is in .snapshot; send the request again for a whole response."
        )

    @property
    def meta(self) -> ResponseMeta:
        """Request id, rate limits, attempts and timings, as far as they are known."""
        if self._meta is None:
            self._meta = ResponseMeta()
        return self._meta

    @property
    def snapshot(self) -> S:
        """The result assembled from the events read so far; after the end, from all events that arrived.

        Raises:
            StreamBusyError: The stream still runs, in another thread.
        """
        if self.outcome == "running" and self._reply is not None:
            require_own_thread(self._reply.exchange.timer.deadline_timer.loop)
        return self._build_snapshot()

    def _build_snapshot(self) -> S:
        """Return the snapshot, from any thread: for callers that know that nobody reads the stream at this moment."""
        snapshot = self._accumulator.snapshot()
        snapshot.meta = self.meta
        return snapshot

    async def open(self) -> None:
        """Send the request and return when the status line has arrived; do nothing if it was sent before."""
        if self._opener is None:
            return
        self._acquire_reader()
        try:
            await self._send_request()
        except BaseException as error:
            if self._end_by_error(error):
                raise
        finally:
            self._release_reader()

    async def next_event(self, reader: object = None) -> E:
        """Return the next event.

        Args:
            reader: The iterator that reads the stream, None for ``anext(stream)``. Held only during the call.
        """
        event = next(self.pending, None)
        return await self.read_event(reader) if event is None else event

    async def read_event(self, reader: object) -> E:
        """Read blocks until one holds an event; return that event and keep the others of the block pending.

        Hot: keep exactly one coroutine of ours, `IdleWatchdog.read_block`, between here and the socket. Each coroutine
        is created anew for each read and, with a thousand slow streams, each is a cache miss.

        Raises:
            StopAsyncIteration: The stream has ended.
        """
        event = None
        if self.outcome == "running":
            self._acquire_reader()
            self._reader_id = 0 if reader is None else id(reader)  # an id, because a reference would keep it alive
            try:
                if self._opener is not None:
                    await self._send_request()
                while (event := next(self.pending, None)) is None and self.outcome == "running":
                    if self._at_eof or self._decoder.done or self._decoder.error is not None:
                        await self._complete_stream()
                    else:
                        assert self._watchdog is not None  # noqa: S101 - set by _send_request
                        self._decode_block(await self._watchdog.read_block())
            except BaseException as error:
                if self._end_by_error(error):
                    raise
            finally:
                self._release_reader()
        if event is None:
            raise StopAsyncIteration
        return event

    def _acquire_reader(self) -> None:
        if self._has_reader:
            raise StreamBusyError("Another task is reading this stream; give each a stream of its own with tee(n).")
        self._has_reader = True

    def _release_reader(self) -> None:
        self._has_reader = False
        if self._watchdog is not None:
            self._watchdog.event_wait_began = None

    async def _send_request(self) -> None:
        opener, self._opener = self._opener, None
        reply = None
        with OpenBlock() as self._open_block:
            reply = await opener() if opener is not None else None
        if reply is None:
            return
        self._reply, self._meta = reply, reply.meta
        if self.outcome != "running":
            reply.exchange.close()
            self._notify_end(reply, None)
            return
        self._watchdog = IdleWatchdog(reply.exchange)
        self._watchdog.start()
        if (content_type := reply.exchange.content_type) not in EVENT_STREAM_TYPES:
            await self._read_other_type(self._watchdog, content_type)

    async def _read_other_type(self, watchdog: IdleWatchdog, content_type: str) -> None:
        """Read a response of another type: an event stream if it begins like one, else one JSON body."""
        start = block = await watchdog.read_block()
        while block and begins_event_stream(start) is None:
            block = await watchdog.read_block()
            start += block
        if begins_event_stream(start):
            self._decode_block(start)
        else:
            await self._read_json_body(watchdog, start, content_type)

    async def _read_json_body(self, watchdog: IdleWatchdog, start: bytes, content_type: str) -> None:
        """Read one JSON body, of which *start* was read; its events become pending."""
        watchdog.event_wait_began = math.inf
        blocks, size = [start], len(start)
        while blocks[-1] and size <= MAX_JSON_BYTES:
            blocks.append(await watchdog.read_block())
            size += len(blocks[-1])
        if watchdog.lost is not None:
            raise _lost_error(watchdog.lost)
        if size > MAX_JSON_BYTES:
            raise ProtocolError(f"The service sent a body of more than {MAX_JSON_BYTES} bytes.")
        self.pending = self._follow(self._decode_json_body(b"".join(blocks), content_type))
        self._decoder.done = self._at_eof = True

    def _decode_block(self, block: bytes) -> None:
        """Decode *block* into pending events; an empty block is the end of the body."""
        if self.outcome != "running":
            return  # cancelled after the block had arrived
        if block:
            batches = self._decoder.decode_block(block)
        else:
            self._at_eof = True
            batches = self._decoder.decode_eof()
        reply = self._reply
        is_waiting = reply is not None and reply.meta.timings.first_token is None
        if reply is not None and is_waiting and any(map(self._has_token, chain.from_iterable(batches))):
            reply.record_first_token()
        self.pending = chain.from_iterable(map(self._follow, batches))

    async def _complete_stream(self) -> None:
        """End the stream after its last event: raise if it is incomplete, else make the connection reusable."""
        if error := self._completion_error():
            lost = self._watchdog.lost if self._watchdog is not None else None
            raise _lost_error(lost) if lost is not None and isinstance(error, StreamTruncatedError) else error
        assert self._reply is not None  # noqa: S101 - only a response can be complete
        if not self._reply.exchange.at_eof:
            await self._reply.exchange.drain_body(DRAIN_SECONDS)
        self._end_stream(self._final_outcome())

    def _end_by_error(self, error: BaseException) -> bool:
        """End the stream because of *error*; return False if the error only follows from an earlier end."""
        if not isinstance(error, GradientError):
            self._end_stream("cancelled")
            return True
        if self.outcome != "running":
            return False
        self._end_stream("truncated" if isinstance(error, StreamTruncatedError) else "error", error)
        self._failure = copy.copy(error)  # without its traceback, which refers to the stream
        return True

    def _end_stream(self, outcome: StreamOutcome, error: GradientError | None = None) -> None:
        """Set the outcome, add the pending events to the snapshot and release the connection; once."""
        if self.outcome != "running":
            return
        self.outcome, self._opener = outcome, None
        for _ in self.pending:
            pass
        if self._watchdog is not None:
            self._watchdog.stop()
        if self._reply is not None:
            self._reply.exchange.close()
            self._reply.record_total(self._output_tokens())
            if error is not None:
                error.request_id, error.attempts = error.request_id or self.meta.request_id, self.meta.attempts
                if isinstance(error, InterruptedCall):
                    error.snapshot = error.snapshot or self._find_partial_result()
            self._notify_end(self._reply, error)

    def _find_partial_result(self) -> Any:
        """Return the result as far as it arrived, for the error that ends the stream."""
        return self.snapshot

    def _notify_end(self, reply: Reply, error: GradientError | None) -> None:
        if reply.permit is not None:
            reply.settle_permit(reply.permit, self.snapshot)
        if reply.on_end is not None:
            reply.on_end(self.snapshot, self.outcome, error)


def follow_each(add_event: Callable[[E], None]) -> Follow[E]:
    """Return a function that adds each event by itself."""
    return partial(map, partial(_pass_on, add_event))


def _pass_on(add_event: Callable[[E], None], event: E) -> E:
    add_event(event)
    return event


def _lost_error(lost: GradientError) -> StreamTruncatedError:
    """Return the error of a stream that broke off with its connection before it was complete."""
    return StreamTruncatedError(f"{lost} What arrived is in .snapshot; send the request again for a whole response.")
