"""How jobs look on the wire, in two shapes: that of the reference, and that of captured answers.

Contract: pure.
Source: the responses of the Batch Inference reference; captured answers of the service for the other shape,
which has fewer fields, ``edges`` and ``page_info``, and times in nanoseconds.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import attrs

from gradient_async.testing.timestamps import timestamp

WINDOW = 86400.0
"""Seconds of emulated time in ``24h``."""


@attrs.frozen(kw_only=True)
class View:
    """What is said about a job at one moment; times are epoch seconds, None if they did not come yet."""

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
class Links:
    """Where the results of a job are."""

    batch_id: str
    output_url: str | None
    error_url: str | None
    output_file_id: str | None
    expires_at: float


class Shape(Protocol):
    """A way to write all of that as JSON."""

    def job(self, view: View) -> dict[str, Any]:
        """Return a job."""

    def page(self, views: Sequence[View], *, more: bool) -> dict[str, Any]:
        """Return a page of jobs."""

    def links(self, links: Links) -> dict[str, Any]:
        """Return the links to the results."""

    def cursor(self, after: str) -> str:
        """Return the batch id that a cursor stands for."""


@attrs.frozen
class Reference:
    """The shape of the reference."""

    def job(self, view: View) -> dict[str, Any]:
        """Return every documented field."""
        moments = ("in_progress_at", "finalizing_at", "completed_at", "cancelled_at", "failed_at")
        return {
            "batch_id": view.batch_id,
            "status": view.status,
            "provider": view.provider,
            "endpoint": view.endpoint,
            "completion_window": "24h",
            "input_file_id": view.file_id,
            "output_file_id": view.output_file_id,
            "error_file_id": view.error_file_id,
            "request_counts": dict(view.counts),
            "request_id": view.request_id,
            "metadata": view.metadata,
            "errors": view.errors,
            "created_at": timestamp(view.created_at),
            "expires_at": timestamp(view.created_at + WINDOW),
            **{name: timestamp(getattr(view, name)) for name in moments},
        }

    def page(self, views: Sequence[View], *, more: bool) -> dict[str, Any]:
        """Return a list object."""
        return {
            "object": "list",
            "data": [self.job(view) for view in views],
            "first_id": views[0].batch_id if views else None,
            "last_id": views[-1].batch_id if views else None,
            "has_more": more,
        }

    def links(self, links: Links) -> dict[str, Any]:
        """Return one link for each of the two files."""
        return {
            "batch_id": links.batch_id,
            "result_available": True,
            "output_file_url": links.output_url,
            "error_file_url": links.error_url,
            "expires_at": timestamp(links.expires_at),
        }

    def cursor(self, after: str) -> str:
        """Return *after*: cursors are batch ids."""
        return after


@attrs.frozen
class Captured:
    """The shape of captured answers."""

    def job(self, view: View) -> dict[str, Any]:
        """Return what was seen of a job."""
        return {
            "batch_id": view.batch_id,
            "cancel_requested_at": timestamp(view.cancel_requested_at, digits=9),
            "completion_window": "24h",
            "created_at": timestamp(view.created_at),
            "expires_at": None,
            "file_id": view.file_id,
            "provider": view.provider,
            "request_counts": dict(view.counts),
            "request_id": view.request_id,
            "result_available": view.available,
            "status": view.status,
            "updated_at": timestamp(view.updated_at, digits=9),
        }

    def page(self, views: Sequence[View], *, more: bool) -> dict[str, Any]:
        """Return a connection with an opaque cursor for each job."""
        edges = [{"cursor": _cursor(view), "node": self.job(view)} for view in views]
        return {
            "edges": edges,
            "page_info": {"endCursor": edges[-1]["cursor"] if edges else None, "hasNextPage": more},
        }

    def links(self, links: Links) -> dict[str, Any]:
        """Return the one link that was seen; failed requests are in the same file."""
        return {
            "download": {"presigned_url": links.output_url, "expires_at": timestamp(links.expires_at, digits=9)},
            "output_file_id": links.output_file_id,
        }

    def cursor(self, after: str) -> str:
        """Return the batch id inside the cursor; nothing for one that was not made here."""
        try:
            return str(json.loads(base64.b64decode(after, validate=True))["i"])
        except (ValueError, TypeError, KeyError):
            return ""


def _cursor(view: View) -> str:
    said = {"c": timestamp(view.created_at), "i": view.batch_id}
    return base64.b64encode(json.dumps(said, separators=(",", ":")).encode()).decode()
