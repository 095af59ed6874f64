"""The options of a submission, and their defaults."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, ParamSpec, TypedDict

import attrs

from gradient_async._protocol.batch.api_requests import (
    AUTO,
    BatchLimits,
    EndpointOption,
    Provider,
    resolve_endpoint,
    validate_file_name,
)
from gradient_async._protocol.http.headers import validate_headers
from gradient_async._protocol.requests.parameters import require_function, require_mapping
from gradient_async._protocol.sources.row_template import Template
from gradient_async.errors import ConfigurationError, quote_argument
from gradient_async.models._texts import format_size
from gradient_async.resources.batch.row_lines import RowOptions

P = ParamSpec("P")

DEFAULT_CONTENT_TYPE = AUTO
"""``application/jsonl``; where the URL proves to be signed for another type, the next one is tried."""

DEFAULT_WINDOW = "24h"
Stage = Literal["validate", "upload", "submit"]
_STAGE_VERBS = {"validate": "checked", "upload": "uploaded"}


@attrs.frozen
class BatchStep:
    """The progress of a submission.

    Attributes:
        stage: ``"validate"``, ``"upload"`` or ``"submit"``.
        done: Bytes that were checked or uploaded; in the last stage, jobs that were created.
        total: All bytes, or all jobs.
    """

    stage: Stage
    done: int
    total: int

    def __str__(self) -> str:
        """Return the progress as text: ``uploaded 1.0 MB of 1.5 MB``."""
        if self.stage == "submit":
            return f"created {self.done} of {self.total} job(s)"
        return f"{_STAGE_VERBS[self.stage]} {format_size(self.done)} of {format_size(self.total)}"


JournalOption = str | os.PathLike[str] | Callable[[str], Path | None]
"""The path of a journal, of a directory of journals, or a function from the identity of a job to the path."""

StepCallback = Callable[[BatchStep], object]


class SubmitOptions(TypedDict, total=False):
    """The options of `Batches.submit` and `Batches.run`.

    Attributes:
        provider: The form of the lines, ``"openai"`` (default) or ``"anthropic"``.
        endpoint: The path that every request is sent to; by default the provider's chat or messages endpoint. None
            leaves it out of the job.
        completion_window: The longest time the service may take; ``"24h"`` by default.
        metadata: Strings stored with the job.
        request_id: The job's idempotency key; by default a new one for every submission.
        file_name: The name of the input at the service, ending with ``.jsonl``; by default that of the path.
        split: Split an input above ``limits`` into several jobs that act as one; by default it is refused.
        limits: The largest input of one job; 50,000 requests and 200 MB by default.
        journal: Path of a file by which a killed process resumes and never pays twice. In an existing directory each
            input and account has a journal of its own, which is found by them. A function receives the identity of the
            job, a text, and returns the path.
        content_type: The ``Content-Type`` of the upload; None sends none. By default ``application/jsonl``, and where
            the upload URL proves to be signed for another type, that one.
        on_step: Called with a `BatchStep` after each step.
        template: Makes the request of each row of the source: the user's message, or a list of messages, with
            ``{column}`` for the columns of a row; ``{text}`` if the rows are texts.
        columns: Columns of the rows that are used; without ``template`` one, which is the user's message.
        params: Parameters of every request that is made of a row, such as ``model``; a row's own override them. A
            row's ``custom_id`` or ``id`` becomes the ``custom_id``, else its position, as ``request-7``.
    """

    provider: Provider
    endpoint: EndpointOption
    completion_window: str
    metadata: Mapping[str, str] | None
    request_id: str | None
    file_name: str | None
    split: bool
    limits: BatchLimits
    journal: JournalOption | None
    content_type: str | None
    on_step: StepCallback | None
    template: Template | None
    columns: Sequence[str] | None
    params: Mapping[str, Any] | None


def combine_callbacks(*callbacks: Callable[P, object] | None) -> Callable[P, None]:
    """Return a function that calls each of *callbacks* that is not None."""
    given = [callback for callback in callbacks if callback is not None]

    def call_all(*args: P.args, **kwargs: P.kwargs) -> None:
        for callback in given:
            callback(*args, **kwargs)

    return call_all


@attrs.frozen(kw_only=True)
class ResolvedOptions:
    """`SubmitOptions` with every default filled in and `AUTO` replaced by an endpoint."""

    provider: Provider = "openai"
    endpoint: str | None = AUTO
    completion_window: str = DEFAULT_WINDOW
    metadata: Mapping[str, str] | None = None
    request_id: str | None = None
    file_name: str | None = attrs.field(default=None, converter=attrs.converters.optional(validate_file_name))
    split: bool = False
    limits: BatchLimits = attrs.field(factory=BatchLimits)
    journal: JournalOption | None = None
    content_type: str | None = DEFAULT_CONTENT_TYPE
    on_step: StepCallback | None = None
    template: Template | None = None
    columns: Sequence[str] | None = None
    params: Mapping[str, Any] | None = None

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.limits, BatchLimits):
            raise ConfigurationError(
                f"limits= must be BatchLimits, as BatchLimits(requests=1000); got {quote_argument(self.limits)}."
            )
        for name, value in {"metadata": self.metadata, "params": self.params}.items():
            require_mapping(name, {} if value is None else value)
        if self.content_type is not None:
            validate_headers({"Content-Type": self.content_type})
        is_path = isinstance(self.journal, str | os.PathLike) and self.journal != ""
        if not (self.journal is None or callable(self.journal) or is_path):
            raise ConfigurationError(
                "journal= must be the path of a file or of a directory, or a function that returns one; got "
                f"{quote_argument(self.journal)}."
            )
        require_function("on_step", self.on_step)
        object.__setattr__(self, "endpoint", resolve_endpoint(self.provider, self.endpoint))

    @property
    def rows(self) -> RowOptions:
        """How the rows of a source become requests."""
        return RowOptions(template=self.template, columns=self.columns, params=self.params)

    def find_journal(self, identify: Callable[[], str]) -> Path | None:
        """Return the path of the journal; None without one. *identify* returns the identity of the job."""
        if self.journal is None:
            return None
        if callable(self.journal):
            return self.journal(identify())
        path = Path(self.journal)
        return path / f"{identify()}.journal" if path.is_dir() else path

    def report_step(self, stage: Stage, done: int, total: int) -> None:
        """Call ``on_step``, if there is one."""
        if self.on_step is not None:
            self.on_step(BatchStep(stage, done, total))

    def reusable_options(self) -> dict[str, Any]:
        """Return the options for another job of the same kind, without those that identify this one or its input."""
        return attrs.asdict(self, recurse=False, filter=lambda field, _: field.name not in _IDENTIFYING_OPTIONS)


def journal_of_retry(journal: JournalOption | None, batch_id: str) -> JournalOption | None:
    """Return *journal* for a retry of the job *batch_id*, whose input may equal that of the job."""
    if journal is None:
        return None
    tag = hashlib.sha256(batch_id.encode()).hexdigest()[:16]
    options = ResolvedOptions(journal=journal)
    return lambda identity: options.find_journal(lambda: f"{identity}-{tag}")


_IDENTIFYING_OPTIONS = frozenset({"request_id", "journal", "file_name", "template", "columns", "params"})
