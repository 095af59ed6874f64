"""Videos: the requests that start, poll and fetch one, and when its content is asked for again.

Contract: pure. `jobs` says how the state of a video is read, `media_body` how its content is.

Content. The service was seen to answer 500 for the content of a video that had completed, and to send it when asked
again. So a failure is looked at beside the state of the video:

    failure      state      then
    any          failed     the reason of the video is raised
    5xx          completed  asked again, after 0.5, 1, 2 and 4 seconds, until `MAX_CONTENT_REQUESTS` were sent
    any other               raised

Source: ``POST /v1/videos``, ``GET /v1/videos/{video_id}`` and its ``/content`` of the serverless reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gradient_async._protocol.http.timeouts import Timeouts
from gradient_async._protocol.rate_limit.priority_queue import Priority
from gradient_async._protocol.requests.jobs import JobReader, encode_id
from gradient_async._protocol.requests.json_post import PostBuilder
from gradient_async._protocol.requests.request import Request
from gradient_async.errors import APIStatusError, VideoFailedError
from gradient_async.models.video import Video
from gradient_async.params import VideoParams

MAX_CONTENT_REQUESTS = 5
_PATH = "/v1/videos"
_POST = PostBuilder(VideoParams, model="wan2-2-t2v-a14b", prompt="Waves on a beach at sunset")
_SERVER_ERRORS = 500

read_video = JobReader(Video)
"""Decodes the body of a successful response."""


def build_video_request(params: Mapping[str, Any], *, timeouts: Timeouts) -> Request:
    """Build the request that starts a video.

    Raises:
        ConfigurationError: A parameter is missing or invalid: the model or the prompt.
    """
    body = _POST.read_params(params)
    return _POST.build_request(_PATH, body, timeouts=timeouts)


def build_state_request(video_id: object, *, timeouts: Timeouts, priority: Priority = "interactive") -> Request:
    """Build the request for the state of a video."""
    return Request(method="GET", path=_video_path(video_id), timeouts=timeouts, idempotent=True, priority=priority)


def build_content_request(video_id: object, *, timeouts: Timeouts, stream: bool = False) -> Request:
    """Build the request for the bytes of a video; with *stream* its response is left open."""
    path = f"{_video_path(video_id)}/content"
    return Request(method="GET", path=path, timeouts=timeouts, idempotent=True, stream=stream, accept="*/*")


def build_video_error(video: Video) -> VideoFailedError:
    """Return the error of a video that ended without completing."""
    reason = video.error or "The service does not say why."
    return VideoFailedError(f"Video {video.id} of {video.model} ended as {video.status}: {reason}", video=video)


def content_retry_delay(error: APIStatusError, video: Video, requests: int) -> float | None:
    """Return the seconds until the content of *video* is asked for again; None if *error* is final.

    Args:
        error: The error of the last request.
        video: The video as it is now.
        requests: Number of requests for the content so far, from 1.
    """
    if error.status < _SERVER_ERRORS or not video.is_completed or requests >= MAX_CONTENT_REQUESTS:
        return None
    return 0.25 * 2.0**requests


def _video_path(video_id: object) -> str:
    return f"{_PATH}/{encode_id('video_id', video_id, 'a video')}"
