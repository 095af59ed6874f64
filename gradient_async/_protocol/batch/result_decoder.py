"""Decodes results files to `BatchResult` objects, line by line.

Contract: pure; fed with blocks. A line is decoded once, when its result is first read, and never if it is not. One
verdict for each line: it is ``ok`` if it has a response of the endpoint's class, and reading that cannot fail. A line
that cannot be decoded is a result with an error; blank lines, CR and a byte order mark are skipped. Lines may come in
any order.

    line                                          ok
    status 200, body with choices                 True; also beside ``"error": {}``, ``""`` or ``[]``
    status 200, body null, text or {"error": e}   False: there is no response
    status 200, choices empty or of other types   False
    error, or another status                      False

Hot: most lines are a plain success, which one msgspec call decodes (`fast_result_decoder`). Every other line is
examined by `ResultLineReader`, which decodes its response at once.

Source: as for the models. Neither the order of the lines nor a final line break is documented.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

import attrs
import msgspec
from msgspec import Raw

from gradient_async._protocol.batch.fast_result_decoder import SUCCESS_DECODERS, build_success
from gradient_async._protocol.batch.line_splitter import LineSplitter
from gradient_async._protocol.batch.result_body import RESPONSE_FIELDS, BodyType, ResultBodyDecoder, infer_type
from gradient_async._protocol.codec.converter import decode_json
from gradient_async._protocol.codec.fast_reader import FAST_READ_ERRORS
from gradient_async._protocol.http.error_body import build_status_error
from gradient_async._protocol.http.error_detection import find_completion_error, find_error, find_stated_error
from gradient_async.errors import ResponseDecodeError
from gradient_async.models.batch import BatchFault
from gradient_async.models.batch_result import AnyResponse, BatchResult, LineVerdict, ResultFile, Verdict
from gradient_async.models.chat import ChatCompletion
from gradient_async.models.messages import MessageReply

_NULL = Raw(b"null")
_PRINTABLE = b"!"
"""The first byte of a line that is not blank is not less, apart from rare space before the object."""
_ANTHROPIC_MESSAGES = {
    "canceled": "The request was cancelled before it was processed.",
    "expired": "The job expired before the request was processed.",
}
MALFORMED = "malformed_line"
_NO_RESPONSE = "no_response"
_EMPTY_LINE = "The line has neither a response nor an error."


class OpenAIResponse(msgspec.Struct, gc=False):
    """OpenAI's ``response``, its body not decoded."""

    body: Raw
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


class Envelope(msgspec.Struct, gc=False):
    """A result line of either provider."""

    custom_id: str
    response: OpenAIResponse | None = None
    error: OpenAIError | None = None
    result: AnthropicResult | None = None


_decode_envelope = msgspec.json.Decoder(Envelope).decode


def find_line_fault(line: Envelope) -> BatchFault | None:
    """Return the fault that a *line* states, apart from its body; None if it claims a success."""
    if line.result is not None:
        return None if line.result.type == "succeeded" else _anthropic_fault(line.result)
    response = line.response
    status = response.status_code if response is not None else None
    if line.error is not None:
        code = line.error.type if line.error.code is None else str(line.error.code)
        return BatchFault(code=code, message=line.error.message, status=status)
    if response is None:
        return BatchFault(message=_EMPTY_LINE)
    if status is None or 200 <= status < 300:
        return None
    error = build_status_error(status, {}, bytes(response.body), now=0.0)
    return BatchFault(code=error.code, message=error.message, status=status)


def find_body_fault(value: Any, body_type: BodyType | None, status: int | None) -> BatchFault | None:
    """Return the fault in the JSON *value* of a body that claims a success: an error, or no response at all."""
    is_chat = body_type is ChatCompletion or (type(value) is dict and "choices" in value)
    if is_chat:
        error = find_completion_error(value)
    elif _has_response(value, body_type or infer_type(value)):
        error = find_stated_error(value)  # beside a response, a message or a detail is none
    else:
        error = find_error(value)
    if error is not None:
        return BatchFault(code=error.code or _NO_RESPONSE, message=error.message, status=status)
    if type(value) is not dict or (is_chat and not value.get("choices")):
        message = f"The line has status {status} and no response." if status else "The line has no response."
        return BatchFault(code=_NO_RESPONSE, message=message, status=status)
    return None


def _has_response(value: Any, body_type: BodyType | None) -> bool:
    """Whether the field of a *body_type* for the response is a list with items."""
    items = value.get(RESPONSE_FIELDS[body_type]) if body_type is not None and type(value) is dict else None
    return type(items) is list and len(items) > 0


@attrs.define(eq=False)
class ResultLineReader:
    """Decodes the lines of one file."""

    file: ResultFile
    body_decoder: ResultBodyDecoder

    def judge_line(self, line: bytes, number: int) -> Verdict:
        """Return the verdict on the *line* with this *number*."""
        body_type = self.body_decoder.body_type
        if body_type is not None:
            try:
                return SUCCESS_DECODERS[body_type](line)
            except FAST_READ_ERRORS:
                pass
        return self.examine_line(line, number)

    def build_response(self, verdict: Verdict, text: Any) -> AnyResponse | None:
        """Return the response in a line of which *text* is the JSON text or the object; None for a failure."""
        if isinstance(verdict, LineVerdict):
            return verdict.answer
        body_type = self.body_decoder.body_type
        assert body_type is not None  # noqa: S101 - of a plain success
        return build_success(verdict, body_type, text)

    def examine_line(self, line: bytes, number: int) -> LineVerdict:
        """Return the verdict on a *line* that may be a failure, unusual or unreadable; decode its response at once."""
        envelope, value = _read_envelope(line)
        if envelope is None:
            message = f"Line {number} of the {self.file} file cannot be read as a result."
            return LineVerdict(error=BatchFault(code=MALFORMED, message=message, line=number), value={})
        fault, answer = self._examine_envelope(envelope)
        status = envelope.response.status_code if envelope.response is not None else None
        return LineVerdict(envelope.custom_id, fault, status, answer, value)

    def _examine_envelope(self, line: Envelope) -> tuple[BatchFault | None, AnyResponse | None]:
        """Return the fault of a *line* with a raw body, else its response."""
        body = line.response.body if line.response is not None else line.result.message if line.result else _NULL
        status = line.response.status_code if line.response is not None else None
        line_type = MessageReply if line.response is None and line.result is not None else None
        body_type = line_type or self.body_decoder.body_type
        problem = ""
        try:
            fault = find_line_fault(line) or find_body_fault(decode_json(bytes(body)), body_type, status)
            return fault, None if fault is not None else self.body_decoder.decode(body, line_type)
        except ResponseDecodeError as error:
            problem = str(error)
        return BatchFault(code="undecodable_response", message=problem, status=status), None


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
    _splitter: LineSplitter = attrs.field(factory=LineSplitter, init=False)

    def feed(self, block: bytes) -> Iterator[BatchResult]:
        """Iterate over the results that *block* completes; exhaust the iterator before the next call."""
        return self._iter_results(self._splitter.iter_lines(block))

    def feed_eof(self) -> Iterator[BatchResult]:
        """Iterate over the result of a last line without a line break."""
        return self._iter_results(self._splitter.feed_eof())

    def _iter_results(self, lines: Iterable[bytes]) -> Iterator[BatchResult]:
        reader, new = self.reader, object.__new__
        infers_type = reader.body_decoder.body_type is None  # from the lines, in their order
        for number, line in enumerate(lines, self.lines + 1):
            self.lines = number
            if line < _PRINTABLE and not line.strip():
                continue
            result = new(BatchResult)  # Hot: calling the class takes twice as long
            result.line, result._reader, result._raw = number, reader, line
            result._verdict = reader.judge_line(line, number) if infers_type else None
            result._answer = None
            yield result


def _read_envelope(line: bytes) -> tuple[Envelope | None, dict[str, Any] | None]:
    """Return the envelope in *line*, None if it cannot be read; and its JSON object if Python's decoder was needed."""
    envelope, value = None, None
    with suppress(*FAST_READ_ERRORS):
        envelope = _decode_envelope(line)
    if envelope is not None and (envelope.error is None or _is_stated(envelope.error)):
        return envelope, None
    with suppress(ResponseDecodeError):
        value = decode_json(line)
    return _coerce_envelope(value), value


def _is_stated(error: OpenAIError) -> bool:
    """Whether *error* says anything in a field that is known; if not, it is ``{}`` or has other fields."""
    return any(part not in (None, "") for part in (error.code, error.message, error.type))


def _coerce_envelope(value: Any) -> Envelope | None:
    """Build the envelope of a line with NaN, lone surrogates or fields of other types; None without an id."""
    if type(value) is not dict or type(value.get("custom_id")) is not str:
        return None
    envelope = Envelope(value["custom_id"])
    if type(response := value.get("response")) is dict:
        status = response.get("status_code")
        envelope.response = OpenAIResponse(_encode_raw(response.get("body")), status if type(status) is int else None)
    if type(result := value.get("result")) is dict:
        message, fault = _encode_raw(result.get("message")), _encode_raw(result.get("error"))
        kind = "" if result.get("type") is None else str(result["type"])
        envelope.result = AnthropicResult(kind, message, fault)
    envelope.error = _coerce_error(value.get("error"))
    return envelope


def _coerce_error(error: Any) -> OpenAIError | None:
    """Return the ``error`` of a line; None if it says nothing, as ``{}``, ``""`` and ``[]`` beside a good response."""
    stated = find_stated_error({"custom_id": "", "error": error})
    if stated is None:
        return None
    fields = error if type(error) is dict else {"message": error}
    texts = {name: str(fields[name]) for name in ("code", "message", "type") if fields.get(name) is not None}
    return OpenAIError(**(texts or {"message": stated.message}))


def _encode_raw(value: Any) -> Raw:
    return Raw(json.dumps(value).encode())
