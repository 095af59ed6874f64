"""Results files to results, line by line.

Contract: pure; fed with blocks. The envelope of a line is decoded when its result is taken, the answer when it is
asked for. A line that cannot be read is a result too, one that says so; blank lines, CR and a byte order
mark are passed over. Lines may come in any order.

Source: as for the models; the files' order and their last line break are not promised by anybody.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, Generic, TypeVar

import attrs
import msgspec
from msgspec import Raw

from gradient_async._protocol.batch.line_splitter import LineSplitter
from gradient_async._protocol.batch.result_body import BODY_TYPES, BodyType, ResultBodyDecoder
from gradient_async._protocol.codec.converter import decode_json
from gradient_async._protocol.codec.fast_reader import FAST_READ_ERRORS, OPEN_STRUCTS, build_model
from gradient_async._protocol.http.error_body import build_status_error, find_error
from gradient_async.errors import ResponseDecodeError
from gradient_async.models.batch import BatchFault
from gradient_async.models.batch_result import AnyResponse, BatchResult, ResultFile
from gradient_async.models.messages import MessageReply

_NULL = Raw(b"null")
_SENTENCES = {
    "canceled": "The request was cancelled before it was answered.",
    "expired": "The job's time was over before the request was answered.",
}
_EMPTY = "The line has neither a response nor an error."
B = TypeVar("B")


class Response(msgspec.Struct, Generic[B], gc=False):
    """OpenAI's ``response``."""

    body: B
    status_code: int | None = None


class Fault(msgspec.Struct, gc=False):
    """OpenAI's ``error``."""

    code: str | int | None = None
    message: str | None = None
    type: str | None = None


class Outcome(msgspec.Struct, gc=False):
    """Anthropic's ``result``."""

    type: str = ""
    message: Raw = _NULL
    error: Raw = _NULL


class Envelope(msgspec.Struct, Generic[B], gc=False):
    """A line of either kind."""

    custom_id: str
    response: Response[B] | None = None
    error: Fault | None = None
    result: Outcome | None = None


Line = Envelope[Any]
_read = msgspec.json.Decoder(Envelope[Raw]).decode


@cache
def _whole_readers() -> dict[BodyType, Callable[[bytes], Line]]:
    """Return what decodes a line and its answer in one go."""
    return {kind: msgspec.json.Decoder(Envelope[OPEN_STRUCTS.struct_for(kind)]).decode for kind in BODY_TYPES.values()}  # type: ignore[misc]


def succeeded(line: Line) -> bool:
    """Whether the request of a line was answered."""
    if line.result is not None:
        return line.result.type == "succeeded"
    response = line.response
    if response is None or line.error is not None:
        return False
    return response.status_code is None or 200 <= response.status_code < 300


@attrs.define(eq=False)
class ResultLineReader:
    """Reads what is behind the envelope of the lines of one file.

    Attributes:
        asked: How many answers were asked for.
    """

    file: ResultFile
    answers: ResultBodyDecoder
    asked: int = attrs.field(default=0, init=False)

    def decode_body(self, line: Line | None, text: Any) -> AnyResponse | None:
        """Return the answer in *line*, whose bytes are *text*."""
        self.asked += 1
        if line is None:
            return None
        if line.response is None:
            return self.answers.decode(line.result.message, MessageReply) if line.result is not None else None
        body, kind = line.response.body, self.answers.kind
        if kind is None or type(body) is Raw:
            return self.answers.decode(body)
        return build_model(kind, body, text, "response", "body")

    def read_fault(self, line: Line | None, number: int) -> BatchFault:
        """Return what is wrong with *line*."""
        if line is None:
            message = f"Line {number} of the {self.file} file cannot be read as a result."
            return BatchFault(code="malformed_line", message=message, line=number)
        if line.error is not None:
            return _vendor_fault(line.error, line.response)
        if line.result is not None:
            return _outcome_fault(line.result)
        return _response_fault(line.response) if line.response is not None else BatchFault(message=_EMPTY)


def _vendor_fault(error: Fault, response: Response[Any] | None) -> BatchFault:
    code = error.type if error.code is None else str(error.code)
    return BatchFault(code=code, message=error.message, status=response.status_code if response else None)


def _outcome_fault(outcome: Outcome) -> BatchFault:
    value = decode_json(bytes(outcome.error))
    error = find_error(value if "error" in value else {"error": value}) if type(value) is dict else None
    if error is None:
        return BatchFault(code=outcome.type or None, message=_SENTENCES.get(outcome.type))
    return BatchFault(code=error.code, message=error.message)


def _response_fault(response: Response[Raw]) -> BatchFault:
    error = build_status_error(response.status_code or 500, {}, bytes(response.body), now=0.0)
    return BatchFault(code=error.code, message=error.message, status=response.status_code)


@attrs.define
class ResultDecoder:
    """Turns the bytes of a results file into results, each when it is taken.

    As long as most answers are asked for, lines are decoded together with their answers.
    """

    reader: ResultLineReader
    lines: int = attrs.field(default=0, init=False)
    _given: int = attrs.field(default=0, init=False)
    _asked: int = attrs.field(default=0, init=False)
    _splitter: LineSplitter = attrs.field(factory=LineSplitter, init=False)

    def feed(self, block: bytes) -> Iterator[BatchResult]:
        """Return the results that *block* completes; to be used up before the next call."""
        return self._results(self._splitter.feed(block))

    def feed_eof(self) -> Iterator[BatchResult]:
        """Return the result of a last line without a line break."""
        return self._results(self._splitter.feed_eof())

    def _results(self, lines: list[bytes]) -> Iterator[BatchResult]:
        reader, began, before = self.reader, self.lines, self._asked
        read = self._reader(reader.asked - before)
        self._asked, self._given, self.lines = reader.asked, len(lines), began + len(lines)
        for number, line in enumerate(lines, began + 1):
            try:
                envelope = read(line)
            except FAST_READ_ERRORS:
                if line.strip():
                    yield self._odd(line, number)
                continue
            response = envelope.response
            if response is not None and response.status_code == 200 and envelope.error is None:
                yield BatchResult(envelope.custom_id, True, number, reader, envelope, line)  # noqa: FBT003
            else:
                yield self._odd(line, number)

    def _odd(self, line: bytes, number: int) -> BatchResult:
        """Return the result of a line that is no plain success."""
        value: Any = line
        try:
            envelope: Line | None = _read(line)
        except FAST_READ_ERRORS:
            value = _value_of(line)
            envelope = _lenient(value)
        if envelope is None:
            return BatchResult("", False, number, self.reader, None, raw={})  # noqa: FBT003
        return BatchResult(envelope.custom_id, succeeded(envelope), number, self.reader, envelope, raw=value)

    def _reader(self, asked: int) -> Callable[[bytes], Line]:
        """Return what suits the block that begins, if *asked* of the last one's answers were asked for."""
        kind = self.reader.answers.kind
        return _read if kind is None or asked * 2 <= self._given else _whole_readers()[kind]


def _value_of(line: bytes) -> Any:
    try:
        return decode_json(line)
    except ResponseDecodeError:
        return None


def _lenient(value: Any) -> Line | None:
    """Return the envelope of a line with values that JSON does not have, or with fields of other types."""
    if type(value) is not dict or type(value.get("custom_id")) is not str:
        return None
    envelope: Line = Envelope(value["custom_id"])
    if type(response := value.get("response")) is dict:
        status = response.get("status_code")
        envelope.response = Response(_raw(response.get("body")), status if type(status) is int else None)
    if type(result := value.get("result")) is dict:
        envelope.result = Outcome(str(result.get("type")), _raw(result.get("message")), _raw(result.get("error")))
    if (error := value.get("error")) is not None:
        envelope.error = _lenient_fault(error if type(error) is dict else {"message": error})
    return envelope


def _lenient_fault(error: dict[str, Any]) -> Fault:
    texts = {name: str(error[name]) for name in ("code", "message", "type") if error.get(name) is not None}
    return Fault(**texts)


def _raw(value: Any) -> Raw:
    return Raw(json.dumps(value).encode())
