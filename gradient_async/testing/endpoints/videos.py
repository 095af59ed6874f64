"""Videos: queued, in progress, completed or failed.

Contract: the status follows from the clock. A key sees its own videos only. The content of a video is an MP4 file
without a picture; before the end it is a 409. A video fails if a part of the name of its model begins with ``fail-``.
Source: the video requests and responses of the Inference API reference, and the form of the ids in its examples.
"""

from __future__ import annotations

import base64
import uuid
from collections.abc import Callable, Sequence
from typing import Any

import attrs

from gradient_async.testing.endpoints.checks import reject_request
from gradient_async.testing.endpoints.validator import Rule, find_problem
from gradient_async.testing.http.router import Endpoint
from gradient_async.testing.model.sample_media import make_mp4
from gradient_async.testing.recorded_request import RecordedRequest
from gradient_async.testing.replies import Reply, Response, apply_reply, error_response, json_response

_PATH = "/v1/videos"
_VIDEO = Rule(
    kind="object",
    fields={
        "model": Rule(kind="string", required=True, low=1),
        "prompt": Rule(kind="string", required=True, low=1),
        "size": Rule(kind="string", pattern=r"\d+x\d+"),
        "fps": Rule(kind="integer", low=1),
    },
)
_QUEUED_SHARE = 0.3
"""The share of a video's time that it is queued."""
_FAILURE_MESSAGE = "The model could not make a video of the prompt."


@attrs.frozen(kw_only=True)
class VideoJob:
    """One video.

    Attributes:
        id: Its id.
        request: The body of the request, and its id.
        created: The creation time in epoch seconds.
        seconds: The duration from the creation to the end.
    """

    id: str
    request: RecordedRequest
    created: float
    seconds: float

    @property
    def fails(self) -> bool:
        """Whether the video ends with a failure."""
        return any(part.startswith("fail-") for part in self.request.fields["model"].split("/"))

    def status_at(self, now: float) -> str:
        """Return the status at *now*."""
        age = now - self.created
        if age < self.seconds:
            return "queued" if age < _QUEUED_SHARE * self.seconds else "in_progress"
        return "failed" if self.fails else "completed"

    def describe_at(self, now: float) -> dict[str, Any]:
        """Return the JSON of the video at *now*."""
        status = self.status_at(now)
        return {
            "id": self.id,
            "object": "video",
            "created_at": int(self.created),
            "model": self.request.fields["model"],
            "status": status,
            "output": None,
            "x_request_id": self.request.request_id,
            "error": _FAILURE_MESSAGE if status == "failed" else None,
        }


@attrs.define(kw_only=True, eq=False)
class VideoService:
    """The video endpoints and their videos.

    Attributes:
        seconds: The duration of a video.
        known: The slugs of the existing models; None if every model exists.
    """

    seconds: float
    known: Sequence[str] | None = None
    _videos: dict[tuple[str, str], VideoJob] = attrs.field(factory=dict, init=False)

    def build_endpoints(self) -> tuple[Endpoint, ...]:
        """Return the endpoints for the router."""
        item_path = f"{_PATH}/{{video_id}}"
        return (
            Endpoint(method="POST", path=_PATH, respond=self._create_video, check=self._check_video),
            Endpoint(method="GET", path=item_path, respond=self._handle_video(_describe_video)),
            Endpoint(method="GET", path=f"{item_path}/content", respond=self._handle_video(_send_content)),
        )

    def _check_video(self, request: RecordedRequest) -> Response | None:
        return reject_request(request, find_problem(request.json, _VIDEO), self.known)

    def _create_video(self, request: RecordedRequest, reply: Reply | None) -> Response:
        job = VideoJob(id=_new_id(), request=request, created=request.time, seconds=self.seconds)
        self._videos[request.key, job.id] = job
        return apply_reply(reply, json_response(job.describe_at(request.time)))

    def _handle_video(
        self, respond: Callable[[VideoJob, RecordedRequest], Response]
    ) -> Callable[[RecordedRequest, Reply | None], Response]:
        def handle(request: RecordedRequest, reply: Reply | None) -> Response:
            job = self._videos.get((request.key, request.params["video_id"]))
            if job is None:
                return error_response(404, request_id=request.request_id)
            return apply_reply(reply, respond(job, request))

        return handle


def _describe_video(job: VideoJob, request: RecordedRequest) -> Response:
    return json_response(job.describe_at(request.time))


def _send_content(job: VideoJob, request: RecordedRequest) -> Response:
    status = job.status_at(request.time)
    if status != "completed":
        message = f"The video is {status}; it has no content."
        return error_response(409, request_id=request.request_id, message=message)
    return Response(pieces=(make_mp4(job.request.fields["prompt"]),), content_type="video/mp4")


def _new_id() -> str:
    """Return a long id with characters that a path has to encode."""
    inner = f"litellm:custom_llm_provider:openai;model_id:;video_id:{uuid.uuid4()}"
    return f"video_{base64.b64encode(inner.encode()).decode()}"
