"""Asynchronous invocations: queued, in progress, completed or failed.

Contract: the status follows from the clock. A key sees its own invocations only. ``/status`` never has the output; the
invocation has it once it is completed: URLs of files on the storage host. An invocation fails if a part of its
``model_id`` begins with ``fail-``.
Source: the async-invoke request and response of the Inference API reference; its how-to guide for the two endpoints.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import attrs

from gradient_async.testing.endpoints.checks import reject_malformed
from gradient_async.testing.endpoints.validator import Rule, find_problem
from gradient_async.testing.http.router import Endpoint
from gradient_async.testing.model.sample_media import make_png, make_wav
from gradient_async.testing.recorded_request import RecordedRequest
from gradient_async.testing.replies import Reply, Response, apply_reply, error_response, json_response
from gradient_async.testing.storage.host import StorageHost
from gradient_async.testing.timestamps import format_timestamp

_POSITIVE = Rule(kind="integer", nullable=True, low=1)
_REQUIRED_TEXT = Rule(kind="string", required=True)
_REQUEST = Rule(
    kind="object",
    fields={
        "model_id": Rule(kind="string", required=True, low=1),
        "input": Rule(
            kind="object",
            required=True,
            fields={
                "prompt": Rule(kind="string"),
                "text": Rule(kind="string"),
                "output_format": Rule(kind="string", nullable=True),
                "num_inference_steps": _POSITIVE,
                "guidance_scale": Rule(kind="number", nullable=True),
                "num_images": _POSITIVE,
                "enable_safety_checker": Rule(kind="boolean", nullable=True),
                "seconds_total": _POSITIVE,
            },
        ),
        "tags": Rule(
            kind="array",
            nullable=True,
            members=Rule(kind="object", fields={"key": _REQUIRED_TEXT, "value": _REQUIRED_TEXT}),
        ),
    },
)
_QUEUED_SHARE = 0.3
"""The share of an invocation's time that it is queued."""
_WIDTH, _HEIGHT = 1024, 768
_MAX_SECONDS = 10
_SIZES = {"landscape_4_3": (_WIDTH, _HEIGHT), "square": (512, 512), "portrait_4_3": (_HEIGHT, _WIDTH)}
_FRACTION_DIGITS = 9
_FAILURE_MESSAGE = "The model could not make anything of the input."


@attrs.frozen(kw_only=True)
class Invocation:
    """One invocation.

    Attributes:
        id: The request id.
        request: The body of the request.
        created: The creation time in epoch seconds.
        seconds: The duration from the creation to the end.
    """

    id: str
    request: Mapping[str, Any]
    created: float
    seconds: float

    @property
    def started(self) -> float:
        """The time in epoch seconds when the invocation leaves the queue."""
        return self.created + _QUEUED_SHARE * self.seconds

    @property
    def ended(self) -> float:
        """The time in epoch seconds when the invocation ends."""
        return self.created + self.seconds

    @property
    def fails(self) -> bool:
        """Whether the invocation ends with a failure."""
        return any(part.startswith("fail-") for part in self.request["model_id"].split("/"))

    def status_at(self, now: float) -> str:
        """Return the status at *now*."""
        if now < self.ended:
            return "QUEUED" if now < self.started else "IN_PROGRESS"
        return "FAILED" if self.fails else "COMPLETED"

    def to_json(self, now: float, output: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the JSON of the invocation at *now*."""
        status = self.status_at(now)
        return {
            "request_id": self.id,
            "status": status,
            "model_id": self.request["model_id"],
            "created_at": format_timestamp(self.created, digits=_FRACTION_DIGITS),
            "started_at": format_timestamp(self.started, digits=_FRACTION_DIGITS) if now >= self.started else None,
            "completed_at": format_timestamp(self.ended, digits=_FRACTION_DIGITS) if now >= self.ended else None,
            "output": output,
            "error": _FAILURE_MESSAGE if status == "FAILED" else None,
        }


@attrs.define(kw_only=True, eq=False)
class InvocationService:
    """The invocation endpoints and their invocations.

    Attributes:
        storage: The host of the output files.
        seconds: The duration of an invocation.
    """

    storage: StorageHost
    seconds: float
    _invocations: dict[tuple[str, str], Invocation] = attrs.field(factory=dict, init=False)

    def build_endpoints(self) -> tuple[Endpoint, ...]:
        """Return the endpoints for the router."""
        path = "/v1/async-invoke"
        item_path = f"{path}/{{request_id}}"
        return (
            Endpoint(method="POST", path=path, respond=self._create_invocation, check=_check_invocation),
            Endpoint(method="GET", path=item_path, respond=partial(self._handle_invocation, self._result_json)),
            Endpoint(
                method="GET", path=f"{item_path}/status", respond=partial(self._handle_invocation, Invocation.to_json)
            ),
        )

    def _create_invocation(self, request: RecordedRequest, reply: Reply | None) -> Response:
        invocation = Invocation(
            id=str(uuid.uuid4()), request=request.fields, created=request.time, seconds=self.seconds
        )
        self._invocations[request.key, invocation.id] = invocation
        return apply_reply(reply, json_response(invocation.to_json(request.time), status=202))

    def _handle_invocation(
        self, to_json: Callable[[Invocation, float], Mapping[str, Any]], request: RecordedRequest, reply: Reply | None
    ) -> Response:
        invocation = self._invocations.get((request.key, request.params["request_id"]))
        if invocation is None:
            return error_response(404, request_id=request.request_id)
        return apply_reply(reply, json_response(to_json(invocation, request.time)))

    def _result_json(self, invocation: Invocation, now: float) -> Mapping[str, Any]:
        output = self._build_output(invocation) if invocation.status_at(now) == "COMPLETED" else None
        return invocation.to_json(now, output)

    def _build_output(self, invocation: Invocation) -> dict[str, Any]:
        input_fields = invocation.request["input"]
        if "text" in input_fields or input_fields.get("seconds_total"):
            sound = make_wav(min(input_fields.get("seconds_total") or 1, _MAX_SECONDS))
            url = self._publish_output(f"{invocation.id}.wav", sound, "audio/wav")
            return {"audio": {"url": url, "content_type": "audio/wav"}}
        count = input_fields.get("num_images") or 1
        return {"images": [self._build_image(invocation, index) for index in range(count)]}

    def _build_image(self, invocation: Invocation, index: int) -> dict[str, Any]:
        input_fields = invocation.request["input"]
        width, height = _SIZES.get(input_fields.get("output_format"), (_WIDTH, _HEIGHT))
        picture = make_png(f"{input_fields.get('prompt')} {index}", width, height)
        url = self._publish_output(f"{invocation.id}-{index}.png", picture, "image/png")
        return {"url": url, "content_type": "image/png", "width": width, "height": height}

    def _publish_output(self, name: str, data: bytes, content_type: str) -> str:
        path = f"/outputs/{name}"
        if path not in self.storage.objects:
            file = self.storage.new_file()
            file.write_bytes(data)
            self.storage.publish(path, file, len(data), content_type=content_type)
        return self.storage.create_url("GET", path)[0]


def _check_invocation(request: RecordedRequest) -> Response | None:
    return reject_malformed(request, find_problem(request.json, _REQUEST))
