"""Asynchronous invocations: queued, in progress, and in the end completed or failed.

Contract: answers are made at once, from the clock. ``/status`` never has the output, the invocation itself has it from
its end on: links to files that can be downloaded. One whose ``model_id`` has a part that begins with ``fail-`` fails.
Source: the async-invoke request and response of the Inference API reference, its how-to guide for the two ways to ask.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import attrs

from gradient_async.testing.endpoints.checks import malformed
from gradient_async.testing.endpoints.validator import Rule, fault
from gradient_async.testing.http.router import Endpoint
from gradient_async.testing.model.sample_media import png, wav
from gradient_async.testing.recorded_request import RecordedRequest
from gradient_async.testing.replies import Answer, Reply, error_answer, json_answer
from gradient_async.testing.storage.host import Storage
from gradient_async.testing.timestamps import timestamp

_POSITIVE = Rule(kind="integer", nullable=True, low=1)
_WORD = Rule(kind="string", required=True)
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
        "tags": Rule(kind="array", nullable=True, members=Rule(kind="object", fields={"key": _WORD, "value": _WORD})),
    },
)
_QUEUED_SHARE = 0.3
_WIDTH, _HEIGHT = 1024, 768
_LONGEST = 10
_SHAPES = {"landscape_4_3": (_WIDTH, _HEIGHT), "square": (512, 512), "portrait_4_3": (_HEIGHT, _WIDTH)}
_DIGITS = 9
_REASON = "The model could not make anything of the input."


@attrs.frozen(kw_only=True)
class Invocation:
    """One invocation, and how long it takes in seconds."""

    id: str
    request: Mapping[str, Any]
    created: float
    seconds: float

    @property
    def started(self) -> float:
        """When its model began."""
        return self.created + _QUEUED_SHARE * self.seconds

    @property
    def ended(self) -> float:
        """When it has its last status."""
        return self.created + self.seconds

    @property
    def fails(self) -> bool:
        """Whether that is a failure."""
        return any(part.startswith("fail-") for part in self.request["model_id"].split("/"))

    def status(self, now: float) -> str:
        """Return the status at *now*."""
        if now < self.ended:
            return "QUEUED" if now < self.started else "IN_PROGRESS"
        return "FAILED" if self.fails else "COMPLETED"

    def view(self, now: float, output: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return it as it is shown at *now*."""
        status = self.status(now)
        return {
            "request_id": self.id,
            "status": status,
            "model_id": self.request["model_id"],
            "created_at": timestamp(self.created, digits=_DIGITS),
            "started_at": timestamp(self.started, digits=_DIGITS) if now >= self.started else None,
            "completed_at": timestamp(self.ended, digits=_DIGITS) if now >= self.ended else None,
            "output": output,
            "error": _REASON if status == "FAILED" else None,
        }


@attrs.define(kw_only=True, eq=False)
class Invocations:
    """The endpoints.

    Attributes:
        storage: Where files are put.
        seconds: How long an invocation takes.
    """

    storage: Storage
    seconds: float
    _all: dict[str, Invocation] = attrs.field(factory=dict, init=False)

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Return the endpoints to mount."""
        path = "/v1/async-invoke"
        one = f"{path}/{{request_id}}"
        return (
            Endpoint(method="POST", path=path, answer=self._create, check=_check),
            Endpoint(method="GET", path=one, answer=partial(self._on_one, self._result)),
            Endpoint(method="GET", path=f"{one}/status", answer=partial(self._on_one, self._status)),
        )

    def _create(self, request: RecordedRequest, reply: Reply | None) -> Answer:
        started = Invocation(id=str(uuid.uuid4()), request=request.fields, created=request.time, seconds=self.seconds)
        self._all[started.id] = started
        answer = json_answer(started.view(request.time), status=202)
        return reply.style(answer) if reply else answer

    def _on_one(
        self, view: Callable[[Invocation, float], Mapping[str, Any]], request: RecordedRequest, reply: Reply | None
    ) -> Answer:
        found = self._all.get(request.params["request_id"])
        if found is None:
            return error_answer(404, request_id=request.request_id)
        answer = json_answer(view(found, request.time))
        return reply.style(answer) if reply else answer

    def _status(self, one: Invocation, now: float) -> Mapping[str, Any]:
        return one.view(now)

    def _result(self, one: Invocation, now: float) -> Mapping[str, Any]:
        return one.view(now, self._output(one) if one.status(now) == "COMPLETED" else None)

    def _output(self, one: Invocation) -> dict[str, Any]:
        asked = one.request["input"]
        if "text" in asked or asked.get("seconds_total"):
            sound = wav(min(asked.get("seconds_total") or 1, _LONGEST))
            return {"audio": {"url": self._link(f"{one.id}.wav", sound, "audio/wav"), "content_type": "audio/wav"}}
        return {"images": [self._image(one, index) for index in range(asked.get("num_images") or 1)]}

    def _image(self, one: Invocation, index: int) -> dict[str, Any]:
        asked = one.request["input"]
        width, height = _SHAPES.get(asked.get("output_format"), (_WIDTH, _HEIGHT))
        picture = png(f"{asked.get('prompt')} {index}", width, height)
        url = self._link(f"{one.id}-{index}.png", picture, "image/png")
        return {"url": url, "content_type": "image/png", "width": width, "height": height}

    def _link(self, name: str, data: bytes, content_type: str) -> str:
        path = f"/outputs/{name}"
        if path not in self.storage.objects:
            file = self.storage.new_file()
            file.write_bytes(data)
            self.storage.publish(path, file, len(data), content_type=content_type)
        return self.storage.link("GET", path)[0]


def _check(request: RecordedRequest) -> Answer | None:
    return malformed(request, fault(request.json, _REQUEST))
