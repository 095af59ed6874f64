"""The results of the video API: jobs that generate a video.

Source: ``POST /v1/videos`` and ``GET /v1/videos/{video_id}`` of the serverless reference.
"""

from typing import Any

import attrs

from gradient_async.models._base import ESSENTIAL, TEXT
from gradient_async.models.response_meta import ResponseModel

_COMPLETED = "completed"
_FAILED = frozenset({"failed", "cancelled", "canceled", "expired"})


@attrs.define(kw_only=True, eq=False, repr=False)
class Video(ResponseModel):
    """The state of a video when the service sent it.

    Attributes:
        id: The id of the video: any text, often of more than a hundred characters.
        status: ``queued``, ``in_progress``, ``processing``; at the end ``completed`` or ``failed``; or a newer one,
            which counts as running.
        model: The model as the service names it, which may differ from the slug of the request.
        created_at: The time of creation, in epoch seconds.
        output: The output, if the service describes it; often None for a video that has completed.
        error: The reason of a failure, None if there is none.
        x_request_id: The service's id of the request that started the video.
    """

    id: str
    status: str
    object: str = "video"
    model: str = ""
    created_at: int = 0
    output: dict[str, Any] | None = attrs.field(default=None, metadata=ESSENTIAL)
    error: str | None = attrs.field(default=None, metadata=TEXT)
    x_request_id: str | None = None

    @property
    def is_terminal(self) -> bool:
        """Whether the video has ended, successfully or not."""
        return self.is_completed or self.is_failed

    @property
    def is_completed(self) -> bool:
        """Whether the video is ready."""
        return self.status == _COMPLETED

    @property
    def is_failed(self) -> bool:
        """Whether the video has ended without a result."""
        return self.status in _FAILED

    @property
    def url(self) -> str | None:
        """The address of the video, if the service states one; ``videos.content`` needs none."""
        url = (self.output or {}).get("url")
        return url if isinstance(url, str) else None

    def __repr__(self) -> str:  # without the output, whose URL may carry a signature
        return f"Video(id={self.id!r}, status={self.status!r}, model={self.model!r}, error={self.error!r})"
