"""One line of a job's results, and the report on all of them.

Contract: whether a request failed is known at once; its response is decoded on first access, into the classes that the
calls of the API return.

Source: OpenAI's batch output (``response``, ``error``) and Anthropic's (``result``), which the batch inference
reference refers to.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Protocol

import attrs

from gradient_async.models._base import NOT_WIRE, Model
from gradient_async.models._raw_source import RawValue
from gradient_async.models.batch import BatchFault
from gradient_async.models.chat import ChatCompletion
from gradient_async.models.embeddings import EmbeddingList
from gradient_async.models.messages import MessageReply

ResultFile = Literal["output", "error"]
AnyResponse = ChatCompletion | MessageReply | EmbeddingList | dict[str, Any]


class LineReader(Protocol):
    """Decodes the response or the fault in a line on first access."""

    file: ResultFile

    def decode_body(self, line: Any, text: Any) -> AnyResponse | None:
        """Return the response in a decoded *line*, None if it has none; *text* is the JSON of the line."""
        ...

    def read_fault(self, line: Any, number: int) -> BatchFault:
        """Return the fault in a *line* of a failed request; *number* is its line number in the file, from 1."""
        ...


@attrs.define(kw_only=False, eq=False, repr=False, weakref_slot=False)
class BatchResult(Model):
    """The result of one request of a batch.

    Attributes:
        custom_id: Your id of the request; ``""`` if the line cannot be decoded.
        ok: Whether the request succeeded.
        line: The line number in the results file, from 1.
    """

    custom_id: str
    ok: bool = attrs.field(metadata=NOT_WIRE)
    line: int = attrs.field(metadata=NOT_WIRE)
    _reader: LineReader = attrs.field(metadata=NOT_WIRE)
    _envelope: Any = attrs.field(metadata=NOT_WIRE)
    # Hot: redeclared to be positional; with a keyword a result takes half as long again to build.
    _raw: RawValue = attrs.field(default=None, alias="raw", metadata=NOT_WIRE)
    _answer: AnyResponse | None = attrs.field(default=None, init=False, metadata=NOT_WIRE)

    @property
    def file(self) -> ResultFile:
        """The file of the line: the output, or the error file."""
        return self._reader.file

    @property
    def answer(self) -> AnyResponse | None:
        """The response, in the class that the endpoint's calls return; a dict if there is none; None for a failure.

        Raises:
            ResponseDecodeError: The response does not decode to that class.
        """
        if self._answer is None and self.ok:
            self._answer = self._reader.decode_body(self._envelope, self._raw)
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
    def text(self) -> str:
        """The text of the response, ``""`` if it has none."""
        answer = self.answer
        if isinstance(answer, ChatCompletion | MessageReply):
            return answer.text
        return _join_output_text(answer) if isinstance(answer, dict) else ""

    @property
    def error(self) -> BatchFault | None:
        """The fault of a request that failed, None if it succeeded."""
        return None if self.ok else self._reader.read_fault(self._envelope, self.line)

    def __repr__(self) -> str:
        outcome = "ok" if self.ok else str(self.error)
        return f"BatchResult({self.custom_id!r}, {outcome}, line {self.line} of the {self.file} file)"


def _join_output_text(response: Mapping[str, Any]) -> str:
    """Return the text in a JSON object of the responses API."""
    output = response.get("output")
    items = [item for item in output if isinstance(item, dict)] if isinstance(output, list) else []
    parts = [part for item in items for part in item.get("content") or () if isinstance(part, dict)]
    return "".join(str(part.get("text") or "") for part in parts if part.get("type") == "output_text")


@attrs.frozen(kw_only=True)
class BatchReport:
    """The results of a job against its input.

    Attributes:
        succeeded: The ids of requests that succeeded, in the order of the results.
        failed: The ids of requests that failed, in the order of the results.
        missing: The ids of the input without a result, in the order of the input.
        malformed: The lines of the results files that cannot be decoded, as ``(file, line)``.
        errors: The fault of each failed request, by id.
    """

    succeeded: tuple[str, ...] = attrs.field(default=(), repr=False)
    failed: tuple[str, ...] = attrs.field(default=(), repr=False)
    missing: tuple[str, ...] = attrs.field(default=(), repr=False)
    malformed: tuple[tuple[ResultFile, int], ...] = ()
    errors: Mapping[str, BatchFault] = attrs.field(factory=dict, repr=False)

    @property
    def ok(self) -> bool:
        """Whether every request succeeded."""
        return not (self.failed or self.missing or self.malformed)

    def __str__(self) -> str:
        numbers = f"{len(self.succeeded)} succeeded, {len(self.failed)} failed, {len(self.missing)} missing"
        return f"{numbers}, {len(self.malformed)} unreadable lines" if self.malformed else numbers
