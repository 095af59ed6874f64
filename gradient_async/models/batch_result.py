"""One line of a job's results, and what all of them add up to.

Contract: who fails is known at once; an answer is decoded when it is first asked for, into the same classes that
the calls of the API return.

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
    """What a result needs to read its own line."""

    file: ResultFile

    def decode_body(self, line: Any, text: Any) -> AnyResponse | None:
        """Return the answer in a decoded *line*, None if it has none; *text* is what it was decoded from."""
        ...

    def read_fault(self, line: Any, number: int) -> BatchFault:
        """Return what is wrong with a *line* that is no success; *number* is its place in the file."""
        ...


@attrs.define(kw_only=False, eq=False, repr=False, weakref_slot=False)
class BatchResult(Model):
    """What became of one request of a batch.

    Attributes:
        custom_id: The id you gave the request; ``""`` if the line cannot be read.
        ok: Whether the request was answered.
        line: The line of the results file, from 1.
    """

    custom_id: str
    ok: bool = attrs.field(metadata=NOT_WIRE)
    line: int = attrs.field(metadata=NOT_WIRE)
    _reader: LineReader = attrs.field(metadata=NOT_WIRE)
    _envelope: Any = attrs.field(metadata=NOT_WIRE)
    # Once more, to be positional: with a keyword a result takes half as long again to make.
    _raw: RawValue = attrs.field(default=None, alias="raw", metadata=NOT_WIRE)
    _answer: AnyResponse | None = attrs.field(default=None, init=False, metadata=NOT_WIRE)

    @property
    def file(self) -> ResultFile:
        """The file the line is in, the output or the error sidecar."""
        return self._reader.file

    @property
    def answer(self) -> AnyResponse | None:
        """The answer, as the class that the endpoint's calls return; a dict where there is none; None if it failed.

        Raises:
            ResponseDecodeError: It is not what the endpoint returns.
        """
        if self._answer is None and self.ok:
            self._answer = self._reader.decode_body(self._envelope, self._raw)
        return self._answer

    @property
    def completion(self) -> ChatCompletion | None:
        """The answer if it is a chat completion."""
        answer = self._answer or self.answer
        return answer if isinstance(answer, ChatCompletion) else None

    @property
    def message(self) -> MessageReply | None:
        """The answer if it is one of the messages API."""
        answer = self.answer
        return answer if isinstance(answer, MessageReply) else None

    @property
    def embedding(self) -> EmbeddingList | None:
        """The answer if it is a list of embeddings."""
        answer = self.answer
        return answer if isinstance(answer, EmbeddingList) else None

    @property
    def text(self) -> str:
        """The text of the answer, ``""`` if it has none."""
        answer = self.answer
        if isinstance(answer, ChatCompletion | MessageReply):
            return answer.text
        return _text_of_response(answer) if isinstance(answer, dict) else ""

    @property
    def error(self) -> BatchFault | None:
        """Why the request has no answer, None if it has one."""
        return None if self.ok else self._reader.read_fault(self._envelope, self.line)

    def __repr__(self) -> str:
        outcome = "ok" if self.ok else str(self.error)
        return f"BatchResult({self.custom_id!r}, {outcome}, line {self.line} of the {self.file} file)"


def _text_of_response(answer: Mapping[str, Any]) -> str:
    """Return the text of an answer of the responses API."""
    output = answer.get("output")
    items = [item for item in output if isinstance(item, dict)] if isinstance(output, list) else []
    parts = [part for item in items for part in item.get("content") or () if isinstance(part, dict)]
    return "".join(str(part.get("text") or "") for part in parts if part.get("type") == "output_text")


@attrs.frozen(kw_only=True)
class BatchReport:
    """What became of every request of a job.

    Attributes:
        succeeded: Ids in the order of the results.
        failed: Ids in the order of the results.
        missing: Ids of the input that no result has, in the order of the input.
        malformed: Lines of the results files that cannot be read, as ``(file, line)``.
        errors: Why each failed request has no answer.
    """

    succeeded: tuple[str, ...] = attrs.field(default=(), repr=False)
    failed: tuple[str, ...] = attrs.field(default=(), repr=False)
    missing: tuple[str, ...] = attrs.field(default=(), repr=False)
    malformed: tuple[tuple[ResultFile, int], ...] = ()
    errors: Mapping[str, BatchFault] = attrs.field(factory=dict, repr=False)

    @property
    def ok(self) -> bool:
        """Whether every request was answered."""
        return not (self.failed or self.missing or self.malformed)

    def __str__(self) -> str:
        numbers = f"{len(self.succeeded)} succeeded, {len(self.failed)} failed, {len(self.missing)} missing"
        return f"{numbers}, {len(self.malformed)} unreadable lines" if self.malformed else numbers
