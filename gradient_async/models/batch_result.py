"""One line of a job's results, and the report on all of them.

Contract: one verdict: `BatchResult.ok` means that there is a response, and reading it raises nothing. The response is
of the class that the calls of the API return.

Source: OpenAI's batch output (``response``, ``error``) and Anthropic's (``result``), which the batch inference
reference refers to.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Protocol, SupportsIndex

import attrs

from gradient_async.errors import GradientError
from gradient_async.models._base import NOT_WIRE, Displayed, Model
from gradient_async.models.batch import BatchFault
from gradient_async.models.chat import ChatCompletion
from gradient_async.models.embeddings import EmbeddingList
from gradient_async.models.messages import MessageReply
from gradient_async.models.responses import ResponseReply

ResultFile = Literal["output", "error"]
AnyResponse = ChatCompletion | MessageReply | EmbeddingList | ResponseReply | dict[str, Any]


class Verdict(Protocol):
    """The decoded line of a result."""

    @property
    def custom_id(self) -> str:
        """The id of the request."""
        ...

    @property
    def error(self) -> BatchFault | None:
        """The fault of a request that failed."""
        ...

    @property
    def status(self) -> int | None:
        """The HTTP status of the request."""
        ...


@attrs.frozen
class LineVerdict:
    """The verdict on a line that was examined part by part.

    Attributes:
        custom_id: The id of the request.
        error: The fault of a request that failed.
        status: The HTTP status of the request.
        answer: The response of a request that succeeded.
        value: The JSON object of the line if it had to be decoded, an empty one if that failed.
    """

    custom_id: str = ""
    error: BatchFault | None = None
    status: int | None = None
    answer: AnyResponse | None = None
    value: dict[str, Any] | None = None


class LineReader(Protocol):
    """Decodes the lines of one results file."""

    @property
    def file(self) -> ResultFile:
        """The file of the lines: the output, or the error file."""
        ...

    def judge_line(self, line: bytes, number: int) -> Verdict:
        """Return the verdict on the *line* with this *number*."""
        ...

    def build_response(self, verdict: Verdict, text: Any) -> AnyResponse | None:
        """Return the response in a line of which *text* is the JSON text or the object; None for a failure."""
        ...


@attrs.define(eq=False, repr=False, weakref_slot=False)
class BatchResult(Model):
    """The result of one request of a batch.

    Its line is decoded when an attribute is first read, other than `line` and `file`. That raises nothing: a line that
    cannot be decoded makes a result that is not ``ok``.

    Attributes:
        line: The line number in the results file, from 1; 0 for a request without a line.
    """

    wire_fields: ClassVar[tuple[str, ...]] = ("custom_id",)

    line: int = attrs.field(metadata=NOT_WIRE)
    _reader: LineReader | None = attrs.field(default=None, metadata=NOT_WIRE)
    _verdict: Verdict | None = attrs.field(default=None, metadata=NOT_WIRE)
    _answer: AnyResponse | None = attrs.field(default=None, metadata=NOT_WIRE)

    @property
    def custom_id(self) -> str:
        """Your id of the request; ``""`` if the line cannot be decoded."""
        return (self._verdict or self._judge_line()).custom_id

    @property
    def ok(self) -> bool:
        """Whether the request has a response."""
        return (self._verdict or self._judge_line()).error is None

    @property
    def file(self) -> ResultFile:
        """The file of the line: the output, or the error file."""
        return "output" if self._reader is None else self._reader.file

    @property
    def answer(self) -> AnyResponse | None:
        """The response, in the class that the endpoint's calls return; a dict if there is none; None for a failure."""
        if self._answer is None and self._reader is not None:
            self._answer = self._reader.build_response(self._verdict or self._judge_line(), self._raw)
        return self._answer

    @property
    def completion(self) -> ChatCompletion | None:
        """The response if it is a chat completion, else None."""
        answer = self._answer or self.answer
        return answer if isinstance(answer, ChatCompletion) else None

    @property
    def message(self) -> MessageReply | None:
        """The response if it is a message of the messages API, else None."""
        answer = self.answer
        return answer if isinstance(answer, MessageReply) else None

    @property
    def embedding(self) -> EmbeddingList | None:
        """The response if it is a list of embeddings, else None."""
        answer = self.answer
        return answer if isinstance(answer, EmbeddingList) else None

    @property
    def response(self) -> ResponseReply | None:
        """The response if it is one of the responses API, else None."""
        answer = self.answer
        return answer if isinstance(answer, ResponseReply) else None

    @property
    def text(self) -> str:
        """The text of the response, ``""`` if it has none."""
        answer = self.answer
        return answer.text if isinstance(answer, ChatCompletion | MessageReply | ResponseReply) else ""

    @property
    def error(self) -> BatchFault | None:
        """The fault of a request that failed, None if it succeeded."""
        return (self._verdict or self._judge_line()).error

    @property
    def status(self) -> int | None:
        """The HTTP status of the request; None if the line has none, as those of Anthropic jobs."""
        return (self._verdict or self._judge_line()).status

    def __reduce_ex__(self, protocol: SupportsIndex) -> str | tuple[Any, ...]:
        verdict = self._verdict  # a line that was not decoded yet is decoded in the copy
        if verdict is not None and not isinstance(verdict, LineVerdict):  # but a struct, which cannot be pickled
            self._verdict = LineVerdict(verdict.custom_id, status=verdict.status, answer=self.answer)
        return super().__reduce_ex__(protocol)

    def _judge_line(self) -> Verdict:
        """Decode the line."""
        line, reader = self._raw, self._reader
        if isinstance(line, bytes) and reader is not None:
            self._verdict = reader.judge_line(line, self.line)
        assert self._verdict is not None  # noqa: S101 - another thread has decoded it, if it is no text any more
        return self._verdict

    def _load_raw(self) -> dict[str, Any]:
        verdict = self._verdict or self._judge_line()
        if isinstance(verdict, LineVerdict) and verdict.value is not None:
            self._raw = verdict.value
        return super()._load_raw()

    def __repr__(self) -> str:
        outcome = "ok" if self.ok else str(self.error)
        return f"BatchResult({self.custom_id!r}, {outcome}, line {self.line} of the {self.file} file)"


def missing_result(custom_id: str) -> BatchResult:
    """Return the result of a request that has no line in the results: not ``ok``, with the fault ``missing``."""
    fault = BatchFault(code="missing", message="The results have no line for this request.")
    return BatchResult(line=0, verdict=LineVerdict(custom_id, fault), raw={})


@attrs.frozen
class TokenTotals:
    """Numbers of tokens of all responses, as the service counted them.

    Attributes:
        input: Tokens of the prompts.
        output: Tokens of the responses.
    """

    input: int = 0
    output: int = 0

    @property
    def total(self) -> int:
        """All tokens."""
        return self.input + self.output


@attrs.frozen(kw_only=True, repr=False)
class BatchReport(Displayed):
    """The results of a job against its input.

    Attributes:
        succeeded: The ids of requests that have a response, in the order of the results.
        failed: The ids of requests that failed, in the order of the results.
        missing: The ids of the input without a result, in the order of the input.
        foreign: The ids of results that no request of the input has; they count as neither succeeded nor failed.
        malformed: The lines of the results files that cannot be decoded, as ``(file, line)``.
        errors: The fault of each failed request, by id.
        requests: Number of requests of the input; None if the input is not known.
        tokens: Numbers of tokens of the responses.
        finish_reasons: Numbers of responses by finish reason, stop reason or status.
        problems: The errors of sidecars that could not be read.
    """

    succeeded: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()
    malformed: tuple[tuple[ResultFile, int], ...] = ()
    errors: Mapping[str, BatchFault] = attrs.field(factory=dict)
    requests: int | None = None
    tokens: TokenTotals = attrs.field(factory=TokenTotals)
    finish_reasons: Mapping[str, int] = attrs.field(factory=dict)
    problems: tuple[GradientError, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether every request has a response, as far as is known."""
        is_uncertain = bool(self.problems) and self.requests is None
        return not (self.failed or self.missing or self.foreign or self.malformed or is_uncertain)

    def __str__(self) -> str:
        numbers = f"{len(self.succeeded)} succeeded, {len(self.failed)} failed, {len(self.missing)} missing"
        foreign = f", {len(self.foreign)} of other requests" if self.foreign else ""
        malformed = f", {len(self.malformed)} unreadable lines" if self.malformed else ""
        problems = f", {len(self.problems)} unreadable files" if self.problems else ""
        return numbers + foreign + malformed + problems

    def __repr__(self) -> str:
        return f"BatchReport({self}, {self.tokens.total} tokens)"
