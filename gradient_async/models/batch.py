"""The objects of the batch API: request, job, counts and faults, input file, links to the results.

Every field of a result except ``batch_id`` and ``status`` has a default, because the documented and the observed wire
shapes differ; strings are open; unknown fields stay in ``raw``. A date that cannot be parsed is None.

Source: the batch inference reference of April 2026, and captures of the service from the same days.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs

from gradient_async.models._base import ESSENTIAL, Model
from gradient_async.models.response_meta import ResponseModel

TERMINAL = frozenset({"completed", "failed", "expired", "cancelled"})
"""The statuses that a job never leaves. With any other status, even an unknown one, the job is still running."""


@attrs.frozen
class BatchRequest:
    """One request of a batch.

    Attributes:
        custom_id: Your id of the request, unique in the batch.
        body: The body of the call.
    """

    custom_id: str
    body: Mapping[str, Any] = attrs.field(repr=False)


@attrs.define(kw_only=True, eq=False, repr=False)
class RequestCounts(Model):
    """The numbers of a job's requests: all, completed, failed."""

    total: int = 0
    completed: int = 0
    failed: int = 0

    def __str__(self) -> str:
        """Return the numbers as text: ``5 of 6 completed, 1 failed``."""
        failed = f", {self.failed} failed" if self.failed else ""
        return f"{self.completed} of {self.total} completed{failed}" if self.total else "no requests counted yet"


@attrs.define(kw_only=True, eq=False, repr=False)
class BatchFault(Model):
    """A fault that the service found in a job, or in one of its requests.

    Attributes:
        code: A short identifier, such as ``"invalid_input_file"``.
        message: The service's explanation.
        line: The line of the input, from 1; None if the fault is not about a line.
        status: The HTTP status of the request that failed, None if the fault is not about a request.
    """

    code: str | None = None
    message: str | None = None
    line: int | None = None
    status: int | None = None

    def __str__(self) -> str:
        reason = self.message or self.code or f"status {self.status or 'unknown'}"
        place = f"Line {self.line}"
        return reason if self.line is None or reason.startswith(place) else f"{place}: {reason}"


@attrs.define(kw_only=True, eq=False, repr=False)
class Batch(ResponseModel):
    """The state of a job when the service sent it.

    Attributes:
        status: ``validating``, ``in_progress``, ``finalizing``, ``cancelling``; at the end ``completed``,
            ``failed``, ``expired`` or ``cancelled``; or a newer one, which counts as running.
        request_counts: The numbers of requests.
        errors: The faults that kept the whole job from completing; those of single requests are in its error file.
        expires_at: The service's value; it was seen to differ from the end of the job's completion window.
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
        """Whether the job has ended, successfully or not."""
        return self.status in TERMINAL


@attrs.define(kw_only=True, eq=False, repr=False)
class BatchFile(ResponseModel):
    """An input file that was announced to the service and not uploaded yet.

    Attributes:
        file_id: The id to create the job with.
        upload_url: The presigned URL that takes the bytes, once. It grants write access, so the repr omits its query.
        expires_at: The time at which the URL expires, usually 15 minutes after it was made.
    """

    file_id: str
    upload_url: str
    expires_at: datetime | None = None

    def __repr__(self) -> str:
        address = without_query(self.upload_url)
        return f"BatchFile(file_id={self.file_id!r}, upload_url={address!r}, expires_at={self.expires_at})"


@attrs.define(kw_only=True, eq=False, repr=False)
class ResultLinks(ResponseModel):
    """The URLs of a job's result files, which expire after a short time.

    Attributes:
        output_file_url: The presigned URL of the results; None if no request succeeded. The repr omits its query.
        error_file_url: The presigned URL of the failed requests; None if there are none. The repr omits its query.
    """

    batch_id: str = ""
    result_available: bool = True
    output_file_url: str | None = attrs.field(default=None, metadata=ESSENTIAL)
    error_file_url: str | None = attrs.field(default=None, metadata=ESSENTIAL)
    expires_at: datetime | None = None

    def __repr__(self) -> str:
        output, errors = without_query(self.output_file_url), without_query(self.error_file_url)
        return (
            f"ResultLinks(batch_id={self.batch_id!r}, output_file_url={output!r}, error_file_url={errors!r}, "
            f"expires_at={self.expires_at})"
        )


def without_query(url: str | None) -> str | None:
    """Return *url* without its query, which in a presigned URL carries the signature."""
    return None if url is None else url.partition("?")[0]
