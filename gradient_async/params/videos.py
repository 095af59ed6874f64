"""The parameters of videos.

Source: ``POST /v1/videos`` of the serverless reference.
"""

from __future__ import annotations

from typing import Required

from gradient_async.params import ExtraParams


class VideoParams(ExtraParams, total=False):
    """The parameters of a video.

    Attributes:
        model: Slug of a video model, as ``"wan2-2-t2v-a14b"``.
        prompt: Description of the video.
        size: Width and height in pixels, as ``"1280x720"``.
        fps: Frames per second.
    """

    model: Required[str]
    prompt: Required[str]
    size: str | None
    fps: int | None
