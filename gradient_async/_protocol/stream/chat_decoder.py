"""From the bytes of a chat stream to typed chunks, and the verdict on how it ended.

Contract: a stream is complete when ``[DONE]`` came, or when the body ended with a finish reason for every choice.
What arrived before a failure is always handed out first. Errors the service sends inside a stream are never
chunks. After the end, or a failure, further bytes are ignored.

Source: streaming section of the inference overview; error shapes as listed in `response`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from itertools import chain
from typing import Any

import attrs

from gradient_async._protocol.codec.converter import decode_json, structure
from gradient_async._protocol.codec.fast_reader import FAST_READ_ERRORS, FastReader
from gradient_async._protocol.http.body_reader import read_completion
from gradient_async._protocol.http.error_body import find_error, parse_error_event, require_json
from gradient_async._protocol.stream.chat_accumulator import ChatAccumulator
from gradient_async._protocol.stream.chunk_template import ChunkTemplate, infer_template, parse_json_string
from gradient_async._protocol.stream.sse import EVENT_BEGIN, EVENT_END, MAX_EVENT_BYTES, SSEParser, is_single_line
from gradient_async.errors import GradientError, ResponseDecodeError, StreamTruncatedError
from gradient_async.models import ChatCompletionChunk

Chunks = Iterable[ChatCompletionChunk]
_DONE = b"[DONE]"
_VAIN_LESSONS = 16
_REST_BYTES = 4096
_CHUNK_FIELDS = frozenset({"choices", "id", "object", "usage"})


@attrs.define(eq=False, repr=False)
class ChatDecoder:
    """Turns the body of a chat stream into chunks, fed in any pieces.

    Attributes:
        done: Whether ``[DONE]`` was seen.
        error: What went wrong, to be raised once the chunks before it were used.
    """

    max_event_bytes: int = attrs.field(default=MAX_EVENT_BYTES, kw_only=True)
    done: bool = attrs.field(default=False, init=False)
    error: GradientError | None = attrs.field(default=None, init=False)
    _parser: SSEParser | None = attrs.field(default=None, init=False)
    _at_start: bool = attrs.field(default=True, init=False)
    _between_events: bool = attrs.field(default=False, init=False)
    _pattern: ChunkTemplate | None = attrs.field(default=None, init=False)
    _pattern_was_used: bool = attrs.field(default=False, init=False)
    _rest: bytes = attrs.field(default=b"", init=False)
    _last: bytes = attrs.field(default=b"", init=False)
    _lessons_left: int = attrs.field(default=_VAIN_LESSONS, init=False)

    def feed(self, block: bytes) -> Iterator[ChatCompletionChunk]:
        """Return the chunks that *block* completes; each is made when it is taken.

        What can be wrong with them is found before this returns. Only their objects wait, because thousands of them
        at once keep the garbage collector busy for longer than it takes to make them: 0.9 µs for each.
        """
        if self.done or self.error is not None:
            return iter(())
        if self._at_start:
            self._at_start = False
            self._between_events = block.startswith(EVENT_BEGIN)  # and not with a byte order mark
        if self._rest:
            block, self._rest = self._rest + block, b""
        pattern = self._pattern
        found: list[Chunks] = []
        if pattern is not None and self._between_events and block.startswith(pattern.head):
            end = self._take_run(block, 0, found, pattern)
            self._pattern_was_used = self._pattern_was_used or end > 0
            if end == len(block):  # how every read of a paced stream ends
                return chain.from_iterable(found)
            block = block[end:]
        try:
            self._feed(block, found)
        except GradientError as error:
            self.error = error.with_traceback(None)
        return chain.from_iterable(found)

    def feed_eof(self) -> Iterator[ChatCompletionChunk]:
        """Return the chunk that the end of the body completes: whole JSON whose blank line is missing."""
        found: list[Chunks] = []
        parser = self._parse(self._rest, found)
        if self.done or self.error or not (data := parser.unfinished_data):
            return iter(())
        try:
            self._take("message", data.encode(), found)
        except ResponseDecodeError:
            pass  # cut inside the event: the verdict says so
        except GradientError as error:
            self.error = error.with_traceback(None)
        return chain.from_iterable(found)

    def _feed(self, block: bytes, found: list[Chunks]) -> None:
        """Give whole plain events to the quick road, and whatever else there is to the parser."""
        at = 0
        if not self._between_events:
            end = block.find(EVENT_END) + len(EVENT_END)
            at = end if end > 1 else len(block)
            self._parse(block[:at], found)
        if self._between_events and len(block) <= self.max_event_bytes:
            at = self._take_plain(block, at, found)
        if at < len(block) and not self.done:
            self._take_rest(block[at:], found)

    def _take_rest(self, rest: bytes, found: list[Chunks]) -> None:
        """Keep the short beginning of a line for the next block, where it may be part of a run; parse anything else."""
        is_begun = self._between_events and b"\n" not in rest and b"\r" not in rest
        if is_begun and len(rest) <= min(_REST_BYTES, self.max_event_bytes):
            self._rest = rest
        else:
            self._parse(rest, found)

    def _parse(self, block: bytes, found: list[Chunks]) -> SSEParser:
        """Give *block* to the parser, which most streams never need."""
        parser = self._parser
        if parser is None:
            parser = self._parser = SSEParser(max_event_bytes=self.max_event_bytes)
            if self._between_events:
                parser.feed(b"\n")  # the beginning, where a byte order mark could be, has passed
        for event in parser.feed(block):
            if not self.done:
                self._take(event.event, event.data.encode(), found)
        self._between_events = parser.between_events
        return parser

    def _take_plain(self, block: bytes, at: int, found: list[Chunks]) -> int:
        """Decode plain events from *at* on, and return where the first other one begins."""
        while at < len(block) and not self.done:
            if (pattern := self._pattern) is not None and block.startswith(pattern.head, at):
                begun, at = at, self._take_run(block, at, found, pattern)
                if at > begun:
                    self._pattern_was_used = True
                    continue
            end = block.find(EVENT_END, at) + len(EVENT_END)
            if not is_single_line(event := block[at : max(at, end)]):
                break
            self._take("message", event[len(EVENT_BEGIN) : -len(EVENT_END)], found)
            at = end
        return at

    def _take_run(self, block: bytes, at: int, found: list[Chunks], pattern: ChunkTemplate) -> int:
        """Decode the events from *at* on that follow *pattern*, and return where they end."""
        if (last := block.rfind(pattern.tail, at)) < 0:
            return at
        end = last + len(pattern.tail)
        if (texts := pattern.texts_of(block[at:end])) is None:
            return self._take_each(block, at, found, pattern)
        found.append(map(pattern.chunk, texts))
        return end

    def _take_each(self, block: bytes, at: int, found: list[Chunks], pattern: ChunkTemplate) -> int:
        """Do the same where some texts have escapes, or other events stand between."""
        tail, joint = pattern.tail, pattern.joint
        begin = at + len(pattern.head)
        texts: list[str] = []
        sources: list[bytes] = []
        more = True
        while more:
            end = block.find(b'"', begin)
            if not (more := block.startswith(joint, end)) and not block.startswith(tail, end):
                end = block.find(tail, begin)  # the quotation mark was one of the text's own
                more = block.startswith(joint, end)
            if end < begin or (text := parse_json_string(escaped := block[begin:end])) is None:
                break
            texts.append(text)
            sources.append(escaped)
            at = end + len(tail)
            begin = end + len(joint)
        found.append(map(pattern.chunk, texts, sources))
        return at

    def _take(self, event: str, data: bytes, found: list[Chunks]) -> None:
        if event == "error":
            raise parse_error_event(data)
        text = data.strip()
        if text == _DONE:
            self.done = True
        elif text and event != "ping":
            chunk = _chunk(data)
            self._learn(data, chunk)
            found.append((chunk,))

    def _learn(self, data: bytes, chunk: ChatCompletionChunk) -> None:
        """Learn what the last two events have in common, unless that proves vain again and again.

        From two and not from one: the first token of a stream does not wait for the lesson.
        """
        self._lessons_left = _VAIN_LESSONS if self._pattern_was_used else self._lessons_left - 1
        self._pattern_was_used = False
        self._pattern = infer_template(self._last, data, chunk) if self._lessons_left > 0 and self._last else None
        self._last = data


def _chunk(data: bytes) -> ChatCompletionChunk:
    try:
        return _quick_reader()(data)
    except FAST_READ_ERRORS:
        pass
    value = decode_json(data)
    if type(value) is dict and (error := find_error(value)):
        raise error
    if type(value) is dict and _CHUNK_FIELDS.isdisjoint(value):
        names = ", ".join(sorted(_CHUNK_FIELDS))
        raise ResponseDecodeError(f"The service sent an event that has none of {names}.", path="$.choices")
    return structure(value, ChatCompletionChunk)


@cache
def _quick_reader() -> FastReader[ChatCompletionChunk]:
    """Return what reads most chunks; only of those whose every field is known, for the others have to be looked at."""
    return FastReader(ChatCompletionChunk, required=("choices",), is_all_known=True)


def completion_to_chunks(body: bytes, content_type: str) -> list[ChatCompletionChunk]:
    """Return a body that came instead of a stream as one chunk.

    Raises:
        APIStatusError: It is an error object.
        ProtocolError: It is no JSON completion.
    """
    require_json(body, content_type)
    completion = read_completion(body).to_dict()
    choices = [_as_piece(choice) for choice in completion["choices"]]
    return [structure(completion | {"object": "chat.completion.chunk", "choices": choices}, ChatCompletionChunk)]


def _as_piece(choice: dict[str, Any]) -> dict[str, Any]:
    """Return a whole *choice* as what a chunk says of one."""
    message = choice.pop("message")
    if calls := message.get("tool_calls"):
        message["tool_calls"] = [{"index": position} | call for position, call in enumerate(calls)]
    return choice | {"delta": message}


def find_stream_error(decoder: ChatDecoder, accumulator: ChatAccumulator) -> GradientError | None:
    """Return why a stream whose body has ended is not complete, None if it is."""
    if decoder.error is not None:
        return decoder.error
    if decoder.done or accumulator.is_complete:
        return None
    return StreamTruncatedError(
        "The stream ended before it was complete: no [DONE], and no finish reason for every choice. "
        "What arrived is in .snapshot; send the request again for a whole answer."
    )
