"""The results of the async-invoke API: jobs that generate an image, audio or speech.

Source: ``POST /v1/async-invoke`` of the serverless reference, and its how-to guide.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import attrs

from gradient_async.models._base import ESSENTIAL, TEXT
from gradient_async.models.response_meta import ResponseModel

_COMPLETED = frozenset({"COMPLETED", "COMPLETE"})  # the guide's text has the second, its sample the first
_FAILED = frozenset({"FAILED"})


@attrs.define(kw_only=True, eq=False, repr=False)
class AsyncInvocation(ResponseModel):
    """The state of an invocation when the service sent it.

    Attributes:
        request_id: The id of the invocation.
        status: ``QUEUED``, ``IN_PROGRESS``; at the end ``COMPLETED`` or ``FAILED``; or a newer one, which counts as
            running.
        output: The output in the model's own shape; None in every state but that of ``result()`` after completion.
        error: The reason of a failure, None if there is none.
    """

    request_id: str
    status: str
    model_id: str = ""
    created_at: datetime | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    output: dict[str, Any] | None = attrs.field(default=None, metadata=ESSENTIAL)
    error: str | None = attrs.field(default=None, metadata=TEXT)

    @property
    def is_terminal(self) -> bool:
        """Whether the invocation has ended, successfully or not."""
        return self.is_completed or self.status in _FAILED

    @property
    def is_completed(self) -> bool:
        """Whether the invocation has completed."""
        return self.status in _COMPLETED

    @property
    def urls(self) -> list[str]:
        """Every ``url`` in the output, in order: the presigned URLs of the generated files, which expire soon."""
        return list(_find_urls(self.output))

    def __repr__(self) -> str:  # without the output, whose presigned URLs carry signatures
        fields = f"request_id={self.request_id!r}, status={self.status!r}, model_id={self.model_id!r}"
        return f"AsyncInvocation({fields}, error={self.error!r})"


def _find_urls(value: Any) -> Iterator[str]:
    if isinstance(value, dict) and isinstance(value.get("url"), str):
        yield value["url"]
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _find_urls(item)
