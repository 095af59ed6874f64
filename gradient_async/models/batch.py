"""What a batch is made of: the request, the job, its counts and faults, the links to its files.

Every field of a result but ``batch_id`` and ``status`` has a default, because the documented and the observed
wire shapes differ; strings are open; unknown fields stay in ``raw``. A date that cannot be read is None.

Source: the batch inference reference of April 2026, and captures of the service from the same days.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs

from gradient_async.models._base import Model
from gradient_async.models.response_meta import ResponseModel

TERMINAL = frozenset({"completed", "failed", "expired", "cancelled"})
"""The statuses that a job never leaves. Any other, a new one too, means that it goes on."""


@attrs.frozen
class BatchRequest:
    """One request of a batch: an id of yours that is unique in the batch, and the body of the call."""

    custom_id: str
    body: Mapping[str, Any] = attrs.field(repr=False)


@attrs.define(kw_only=True, eq=False, repr=False)
class RequestCounts(Model):
    """How many of a job's requests there are, are done, and have failed."""

    total: int = 0
    completed: int = 0
    failed: int = 0


@attrs.define(kw_only=True, eq=False, repr=False)
class BatchFault(Model):
    """Something the service found wrong with a job, or with one of its requests.

    Attributes:
        code: A short identifier, as ``"invalid_input_file"``.
        line: The line of the input it is about, from 1; None if it is about none.
        status: The HTTP status of the one request, if that is what failed.
    """

    code: str | None = None
    message: str | None = None
    line: int | None = None
    status: int | None = None

    def __str__(self) -> str:
        what = self.message or self.code or f"status {self.status or 'unknown'}"
        place = f"Line {self.line}"
        return what if self.line is None or what.startswith(place) else f"{place}: {what}"


@attrs.define(kw_only=True, eq=False, repr=False)
class Batch(ResponseModel):
    """A job as the service describes it at one moment.

    Attributes:
        status: ``validating``, ``in_progress``, ``finalizing``, ``cancelling``; at the end ``completed``,
            ``failed``, ``expired`` or ``cancelled``; or a newer one, which counts as going on.
        errors: What kept the whole job from completing; the failures of single requests are in its error file.
        expires_at: As the service says it; it has been seen to mean other things than the end of the job's time.
    """

    batch_id: str
    status: str
    provider: str | None = None
    endpoint: str | None = None
    completion_window: str | None = None
    input_file_id: str | None = None
    output_file_id: str | None = None
    error_file_id: str | None = None
    request_counts: RequestCounts = attrs.field(factory=RequestCounts)
    request_id: str | None = None
    metadata: dict[str, Any] | None = None
    errors: list[BatchFault] = attrs.field(factory=list)
    result_available: bool | None = None
    created_at: datetime | None = None
    in_progress_at: datetime | None = None
    finalizing_at: datetime | None = None
    completed_at: datetime | None = None
    failed_at: datetime | None = None
    cancelled_at: datetime | None = None
    cancel_requested_at: datetime | None = None
    updated_at: datetime | None = None
    expires_at: datetime | None = None

    @property
    def is_terminal(self) -> bool:
        """Whether the job has ended, one way or another."""
        return self.status in TERMINAL


@attrs.define(kw_only=True, eq=False, repr=False)
class BatchFile(ResponseModel):
    """An announced input file: where to put its bytes, once, and the id to create the job with.

    Attributes:
        upload_url: Presigned: whoever has it can write the file, so it is not shown.
        expires_at: When the address stops working, usually a quarter of an hour after it was made.
    """

    file_id: str
    upload_url: str
    expires_at: datetime | None = None

    def __repr__(self) -> str:
        address = without_query(self.upload_url)
        return f"BatchFile(file_id={self.file_id!r}, upload_url={address!r}, expires_at={self.expires_at})"


@attrs.define(kw_only=True, eq=False, repr=False)
class ResultLinks(ResponseModel):
    """Where a job's files can be read, for a short time.

    Attributes:
        output_file_url: Presigned, so it is not shown; None if no request succeeded.
        error_file_url: The sidecar of the failed requests; None if there is none.
    """

    batch_id: str = ""
    result_available: bool = True
    output_file_url: str | None = None
    error_file_url: str | None = None
    expires_at: datetime | None = None

    def __repr__(self) -> str:
        output, errors = without_query(self.output_file_url), without_query(self.error_file_url)
        return (
            f"ResultLinks(batch_id={self.batch_id!r}, output_file_url={output!r}, error_file_url={errors!r}, "
            f"expires_at={self.expires_at})"
        )


def without_query(url: str | None) -> str | None:
    """Return *url* as it may be shown: a presigned address carries its key in the query."""
    return None if url is None else url.partition("?")[0]
