"""Decodes results files to `BatchResult` objects, line by line.

Contract: pure; fed with blocks. A line's envelope is decoded when its result is taken, the response body when it is
first read. A line that cannot be read is a result with an error; blank lines, CR and a byte order mark are skipped.
Lines may come in any order.

Hot: most lines are a plain success and take one msgspec call. The decoder is chosen for each block. If more than half
of the last block's bodies were read, the envelope and its body are decoded together (`_typed_decoders`), which saves
scanning the body twice; otherwise the body stays raw bytes (`_decode_envelope`) and an unread body costs nothing.

Source: as for the models. Neither the order of the lines nor a final line break is documented.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from typing import Any, Generic, TypeVar

import attrs
import msgspec
from msgspec import Raw

from gradient_async._protocol.batch.line_splitter import LineSplitter
from gradient_async._protocol.batch.result_body import BODY_TYPES, BodyType, ResultBodyDecoder
from gradient_async._protocol.codec.converter import decode_json
from gradient_async._protocol.codec.fast_reader import FAST_READ_ERRORS, OPEN_STRUCTS, build_model
from gradient_async._protocol.http.error_body import build_status_error
from gradient_async._protocol.http.error_detection import find_error
from gradient_async.errors import ResponseDecodeError
from gradient_async.models.batch import BatchFault
from gradient_async.models.batch_result import AnyResponse, BatchResult, ResultFile
from gradient_async.models.messages import MessageReply

_NULL = Raw(b"null")
_ANTHROPIC_MESSAGES = {
    "canceled": "The request was cancelled before it was processed.",
    "expired": "The job expired before the request was processed.",
}
_EMPTY_LINE = "The line has neither a response nor an error."
B = TypeVar("B")


class OpenAIResponse(msgspec.Struct, Generic[B], gc=False):
    """OpenAI's ``response``."""

    body: B
    status_code: int | None = None


class OpenAIError(msgspec.Struct, gc=False):
    """OpenAI's ``error``."""

    code: str | int | None = None
    message: str | None = None
    type: str | None = None


class AnthropicResult(msgspec.Struct, gc=False):
    """Anthropic's ``result``."""

    type: str = ""
    message: Raw = _NULL
    error: Raw = _NULL


class Envelope(msgspec.Struct, Generic[B], gc=False):
    """A result line of either provider."""

    custom_id: str
    response: OpenAIResponse[B] | None = None
    error: OpenAIError | None = None
    result: AnthropicResult | None = None


AnyEnvelope = Envelope[Any]
_decode_envelope = msgspec.json.Decoder(Envelope[Raw]).decode


@cache
def _typed_decoders() -> dict[BodyType, Callable[[bytes], AnyEnvelope]]:
    """Return decoders of an envelope together with its body, by the type of the body."""
    return {kind: msgspec.json.Decoder(Envelope[OPEN_STRUCTS.struct_for(kind)]).decode for kind in BODY_TYPES.values()}  # type: ignore[misc]


def is_success(envelope: AnyEnvelope) -> bool:
    """Whether the request of a line succeeded."""
    if envelope.result is not None:
        return envelope.result.type == "succeeded"
    response = envelope.response
    if response is None or envelope.error is not None:
        return False
    return response.status_code is None or 200 <= response.status_code < 300


@attrs.define(eq=False)
class ResultLineReader:
    """Reads the bodies and errors of the decoded lines of one file.

    Attributes:
        bodies_read: Number of bodies that were read.
    """

    file: ResultFile
    body_decoder: ResultBodyDecoder
    bodies_read: int = attrs.field(default=0, init=False)

    def decode_body(self, line: AnyEnvelope | None, text: Any) -> AnyResponse | None:
        """Return the response body of *line*, which was decoded from the bytes *text*."""
        self.bodies_read += 1
        if line is None:
            return None
        if line.response is None:
            return self.body_decoder.decode(line.result.message, MessageReply) if line.result is not None else None
        body, body_type = line.response.body, self.body_decoder.body_type
        if body_type is None or type(body) is Raw:
            return self.body_decoder.decode(body)
        return build_model(body_type, body, text, "response", "body")

    def read_fault(self, line: AnyEnvelope | None, number: int) -> BatchFault:
        """Return the error of a failed *line*, or of an unreadable one if *line* is None."""
        if line is None:
            message = f"Line {number} of the {self.file} file cannot be read as a result."
            return BatchFault(code="malformed_line", message=message, line=number)
        if line.error is not None:
            code = line.error.type if line.error.code is None else str(line.error.code)
            status = line.response.status_code if line.response else None
            return BatchFault(code=code, message=line.error.message, status=status)
        if line.result is not None:
            return _anthropic_fault(line.result)
        if line.response is None:
            return BatchFault(message=_EMPTY_LINE)
        status = line.response.status_code
        error = build_status_error(status or 500, {}, bytes(line.response.body), now=0.0)
        return BatchFault(code=error.code, message=error.message, status=status)


def _anthropic_fault(result: AnthropicResult) -> BatchFault:
    value = decode_json(bytes(result.error))
    error = find_error(value if "error" in value else {"error": value}) if type(value) is dict else None
    if error is None:
        return BatchFault(code=result.type or None, message=_ANTHROPIC_MESSAGES.get(result.type))
    return BatchFault(code=error.code, message=error.message)


@attrs.define
class ResultDecoder:
    """Decodes the bytes of a results file to results, each when it is taken.

    Attributes:
        lines: Number of lines so far, including blank ones.
    """

    reader: ResultLineReader
    lines: int = attrs.field(default=0, init=False)
    _block_lines: int = attrs.field(default=0, init=False)
    """Number of lines of the last block."""
    _bodies_before: int = attrs.field(default=0, init=False)
    """Value of ``reader.bodies_read`` at the start of the last block."""
    _splitter: LineSplitter = attrs.field(factory=LineSplitter, init=False)

    def feed(self, block: bytes) -> Iterator[BatchResult]:
        """Iterate over the results that *block* completes; exhaust the iterator before the next call."""
        return self._iter_results(self._splitter.feed(block))

    def feed_eof(self) -> Iterator[BatchResult]:
        """Iterate over the result of a last line without a line break."""
        return self._iter_results(self._splitter.feed_eof())

    def _iter_results(self, lines: list[bytes]) -> Iterator[BatchResult]:
        reader, first = self.reader, self.lines
        decode = self._choose_decoder(reader.bodies_read - self._bodies_before)
        self._bodies_before, self._block_lines, self.lines = reader.bodies_read, len(lines), first + len(lines)
        for number, line in enumerate(lines, first + 1):
            try:
                envelope = decode(line)
            except FAST_READ_ERRORS:
                if line.strip():
                    yield self._read_other_line(line, number)
                continue
            response = envelope.response
            if response is not None and response.status_code == 200 and envelope.error is None:
                yield BatchResult(envelope.custom_id, True, number, reader, envelope, line)  # noqa: FBT003
            else:
                yield self._read_other_line(line, number)

    def _read_other_line(self, line: bytes, number: int) -> BatchResult:
        """Return the result of a line that is not a plain success: a failure, an unusual or an unreadable line."""
        value: Any = line
        try:
            envelope: AnyEnvelope | None = _decode_envelope(line)
        except FAST_READ_ERRORS:
            value = None
            with suppress(ResponseDecodeError):
                value = decode_json(line)
            envelope = _coerce_envelope(value)
        if envelope is None:
            return BatchResult("", False, number, self.reader, None, raw={})  # noqa: FBT003
        return BatchResult(envelope.custom_id, is_success(envelope), number, self.reader, envelope, raw=value)

    def _choose_decoder(self, bodies_read: int) -> Callable[[bytes], AnyEnvelope]:
        """Return the decoder of the next block, after *bodies_read* bodies of the last block were read."""
        body_type = self.reader.body_decoder.body_type
        if body_type is None or bodies_read * 2 <= self._block_lines:
            return _decode_envelope
        return _typed_decoders()[body_type]


def _coerce_envelope(value: Any) -> AnyEnvelope | None:
    """Build the envelope of a line with NaN, lone surrogates or fields of other types; None without an id."""
    if type(value) is not dict or type(value.get("custom_id")) is not str:
        return None
    envelope: AnyEnvelope = Envelope(value["custom_id"])
    if type(response := value.get("response")) is dict:
        status = response.get("status_code")
        envelope.response = OpenAIResponse(_encode_raw(response.get("body")), status if type(status) is int else None)
    if type(result := value.get("result")) is dict:
        message, fault = _encode_raw(result.get("message")), _encode_raw(result.get("error"))
        envelope.result = AnthropicResult(str(result.get("type")), message, fault)
    if (error := value.get("error")) is not None:
        fields = error if type(error) is dict else {"message": error}
        texts = {name: str(fields[name]) for name in ("code", "message", "type") if fields.get(name) is not None}
        envelope.error = OpenAIError(**texts)
    return envelope


def _encode_raw(value: Any) -> Raw:
    return Raw(json.dumps(value).encode())
