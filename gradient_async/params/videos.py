"""The parameters of videos.

Source: ``POST /v1/videos`` of the serverless reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Required, TypedDict


class VideoParams(TypedDict, total=False):
    """The parameters of a video.

    Attributes:
        model: Slug of a video model, as ``"wan2-2-t2v-a14b"``.
        prompt: Description of the video.
        size: Width and height in pixels, as ``"1280x720"``.
        fps: Frames per second.
        extra_body: Fields merged into the request body unchanged.
        extra_headers: Headers added to the request; those of the session cannot be replaced.
    """

    model: Required[str]
    prompt: Required[str]
    size: str | None
    fps: int | None
    extra_body: Mapping[str, Any] | None
    extra_headers: Mapping[str, str] | None
