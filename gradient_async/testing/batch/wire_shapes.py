"""The JSON of jobs in two shapes: that of the reference, and that of responses captured from the service.

Contract: pure.
Source: the responses of the Batch Inference reference; responses captured from the service for the other shape, which
has fewer fields, ``edges`` and ``page_info``, and times in nanoseconds.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import attrs

from gradient_async.testing.timestamps import format_timestamp

WINDOW = 86400.0
"""The completion window ``24h`` in seconds of emulated time."""


@attrs.frozen(kw_only=True)
class JobSnapshot:
    """The state of a job at one moment; times are epoch seconds, and None if they have not come."""

    batch_id: str
    status: str
    provider: str
    endpoint: str | None
    file_id: str
    request_id: str
    metadata: Mapping[str, str] | None
    counts: Mapping[str, int]
    errors: Sequence[Mapping[str, Any]] | None
    output_file_id: str | None
    error_file_id: str | None
    available: bool
    created_at: float
    updated_at: float
    in_progress_at: float | None = None
    finalizing_at: float | None = None
    completed_at: float | None = None
    failed_at: float | None = None
    cancelled_at: float | None = None
    cancel_requested_at: float | None = None


@attrs.frozen(kw_only=True)
class ResultLinks:
    """The presigned URLs of a job's result files; *expires_at* is in epoch seconds."""

    batch_id: str
    output_url: str | None
    error_url: str | None
    output_file_id: str | None
    expires_at: float


class WireShape(Protocol):
    """A shape of the JSON."""

    def format_job(self, snapshot: JobSnapshot) -> dict[str, Any]:
        """Return the JSON of a job."""

    def format_page(self, snapshots: Sequence[JobSnapshot], *, more: bool) -> dict[str, Any]:
        """Return the JSON of a page of jobs; *more* tells whether another page follows."""

    def format_links(self, links: ResultLinks) -> dict[str, Any]:
        """Return the JSON of the links to the results."""

    def parse_cursor(self, after: str) -> str:
        """Return the batch id of a cursor."""


@attrs.frozen
class ReferenceShape:
    """The shape of the reference."""

    def format_job(self, snapshot: JobSnapshot) -> dict[str, Any]:
        """Return every documented field."""
        moments = ("in_progress_at", "finalizing_at", "completed_at", "cancelled_at", "failed_at")
        return {
            "batch_id": snapshot.batch_id,
            "status": snapshot.status,
            "provider": snapshot.provider,
            "endpoint": snapshot.endpoint,
            "completion_window": "24h",
            "input_file_id": snapshot.file_id,
            "output_file_id": snapshot.output_file_id,
            "error_file_id": snapshot.error_file_id,
            "request_counts": dict(snapshot.counts),
            "request_id": snapshot.request_id,
            "metadata": snapshot.metadata,
            "errors": snapshot.errors,
            "created_at": format_timestamp(snapshot.created_at),
            "expires_at": format_timestamp(snapshot.created_at + WINDOW),
            **{name: format_timestamp(getattr(snapshot, name)) for name in moments},
        }

    def format_page(self, snapshots: Sequence[JobSnapshot], *, more: bool) -> dict[str, Any]:
        """Return a list object."""
        return {
            "object": "list",
            "data": [self.format_job(snapshot) for snapshot in snapshots],
            "first_id": snapshots[0].batch_id if snapshots else None,
            "last_id": snapshots[-1].batch_id if snapshots else None,
            "has_more": more,
        }

    def format_links(self, links: ResultLinks) -> dict[str, Any]:
        """Return one link for each file."""
        return {
            "batch_id": links.batch_id,
            "result_available": True,
            "output_file_url": links.output_url,
            "error_file_url": links.error_url,
            "expires_at": format_timestamp(links.expires_at),
        }

    def parse_cursor(self, after: str) -> str:
        """Return *after*: cursors are batch ids."""
        return after


@attrs.frozen
class CapturedShape:
    """The shape of captured responses."""

    def format_job(self, snapshot: JobSnapshot) -> dict[str, Any]:
        """Return the captured fields."""
        return {
            "batch_id": snapshot.batch_id,
            "cancel_requested_at": format_timestamp(snapshot.cancel_requested_at, digits=9),
            "completion_window": "24h",
            "created_at": format_timestamp(snapshot.created_at),
            "expires_at": None,
            "file_id": snapshot.file_id,
            "provider": snapshot.provider,
            "request_counts": dict(snapshot.counts),
            "request_id": snapshot.request_id,
            "result_available": snapshot.available,
            "status": snapshot.status,
            "updated_at": format_timestamp(snapshot.updated_at, digits=9),
        }

    def format_page(self, snapshots: Sequence[JobSnapshot], *, more: bool) -> dict[str, Any]:
        """Return a connection with an opaque cursor for each job."""
        edges = [{"cursor": _make_cursor(snapshot), "node": self.format_job(snapshot)} for snapshot in snapshots]
        return {
            "edges": edges,
            "page_info": {"endCursor": edges[-1]["cursor"] if edges else None, "hasNextPage": more},
        }

    def format_links(self, links: ResultLinks) -> dict[str, Any]:
        """Return the only link; failed requests are in the same file."""
        return {
            "download": {"presigned_url": links.output_url, "expires_at": format_timestamp(links.expires_at, digits=9)},
            "output_file_id": links.output_file_id,
        }

    def parse_cursor(self, after: str) -> str:
        """Return the batch id inside the cursor; an empty text for an invalid cursor."""
        try:
            return str(json.loads(base64.b64decode(after, validate=True))["i"])
        except (ValueError, TypeError, KeyError):
            return ""


def _make_cursor(snapshot: JobSnapshot) -> str:
    fields = {"c": format_timestamp(snapshot.created_at), "i": snapshot.batch_id}
    return base64.b64encode(json.dumps(fields, separators=(",", ":")).encode()).decode()
