"""How a job is submitted: what callers may say, and what holds if they do not."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypedDict

import attrs

from gradient_async._protocol.batch.api import AUTO, BatchLimits, Provider, resolve_endpoint, validate_file_name

DEFAULT_CONTENT_TYPE = "application/octet-stream"
DEFAULT_WINDOW = "24h"
Stage = Literal["validate", "upload", "submit"]


@attrs.frozen
class BatchStep:
    """How far a submission has come: *done* of *total* bytes are checked or uploaded, or jobs created."""

    stage: Stage
    done: int
    total: int


StepCallback = Callable[[BatchStep], object]


class SubmitOptions(TypedDict, total=False):
    """How a job is submitted.

    Attributes:
        provider: Whose form the lines have, ``"openai"`` or ``"anthropic"``.
        endpoint: What every request is sent to; by default the provider's chat or messages; None sends none.
        completion_window: The time the service takes at most.
        metadata: Strings to find the job by.
        request_id: The job's idempotency key; by default a new one for every submission.
        file_name: The input's name at the service.
        split: Whether an input above ``limits`` becomes several jobs that look like one.
        limits: The largest input of one job.
        journal: A file by which a killed process goes on.
        content_type: Of the upload; None sends none.
        on_step: Called with a `BatchStep` whenever something was done.
    """

    provider: Provider
    endpoint: str | None
    completion_window: str
    metadata: Mapping[str, str] | None
    request_id: str | None
    file_name: str | None
    split: bool
    limits: BatchLimits
    journal: str | os.PathLike[str] | None
    content_type: str | None
    on_step: StepCallback | None


@attrs.frozen(kw_only=True)
class ResolvedOptions:
    """The same, complete."""

    provider: Provider = "openai"
    endpoint: str | None = AUTO
    completion_window: str = DEFAULT_WINDOW
    metadata: Mapping[str, str] | None = None
    request_id: str | None = None
    file_name: str | None = attrs.field(default=None, converter=attrs.converters.optional(validate_file_name))
    split: bool = False
    limits: BatchLimits = attrs.field(factory=BatchLimits)
    journal: str | os.PathLike[str] | None = None
    content_type: str | None = DEFAULT_CONTENT_TYPE
    on_step: StepCallback | None = None

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "endpoint", resolve_endpoint(self.provider, self.endpoint))

    def tell(self, stage: Stage, done: int, total: int) -> None:
        """Call ``on_step``."""
        if self.on_step is not None:
            self.on_step(BatchStep(stage, done, total))

    def again(self) -> dict[str, Any]:
        """Return what holds for another job of the same kind: all but what names this one."""
        return attrs.asdict(self, recurse=False, filter=lambda field, _: field.name not in _OF_ONE_JOB)


_OF_ONE_JOB = frozenset({"request_id", "journal", "file_name"})
