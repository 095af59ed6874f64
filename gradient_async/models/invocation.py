"""An asynchronous invocation: a model at work on an image, on audio or on speech.

Source: ``POST /v1/async-invoke`` of the serverless reference, and its how-to guide.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import attrs

from gradient_async.models.response_meta import ResponseModel

_COMPLETED = frozenset({"COMPLETED", "COMPLETE"})  # the guide's text has the second, its sample the first
_FAILED = frozenset({"FAILED"})


@attrs.define(kw_only=True, eq=False, repr=False)
class AsyncInvocation(ResponseModel):
    """An invocation as the service describes it at one moment.

    Attributes:
        request_id: What it is asked for with.
        status: ``QUEUED``, ``IN_PROGRESS``; at the end ``COMPLETED`` or ``FAILED``; or a newer one, which counts as
            going on.
        output: What the model made, in the model's own shape; None until ``result()`` of one that has completed.
        error: Why it failed.
    """

    request_id: str
    status: str
    model_id: str = ""
    created_at: datetime | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    output: dict[str, Any] | None = None
    error: str | None = None

    @property
    def is_terminal(self) -> bool:
        """Whether it has ended, one way or another."""
        return self.is_completed or self.status in _FAILED

    @property
    def is_completed(self) -> bool:
        """Whether it has ended well."""
        return self.status in _COMPLETED

    @property
    def urls(self) -> list[str]:
        """Every ``url`` in the output, in its order; these are the files that were made, presigned for a short time."""
        return list(_urls(self.output))

    def __repr__(self) -> str:  # without the output, whose addresses carry keys in their queries
        shown = f"request_id={self.request_id!r}, status={self.status!r}, model_id={self.model_id!r}"
        return f"AsyncInvocation({shown}, error={self.error!r})"


def _urls(value: Any) -> Iterator[str]:
    if isinstance(value, dict) and isinstance(value.get("url"), str):
        yield value["url"]
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _urls(item)
