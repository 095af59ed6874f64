"""Image generation: images of one colour, a hash of the prompt.

Contract: pure. Every image is a PNG, also for a request of another format, and ``output_format`` says so. The partial
images of a stream equal the complete one.
Source: the image request, the response and the example of a stream of the Inference API reference.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs

from gradient_async.testing.endpoints.checks import reject_request
from gradient_async.testing.endpoints.validator import Rule, find_problem
from gradient_async.testing.model.sample_media import make_png
from gradient_async.testing.recorded_request import RecordedRequest
from gradient_async.testing.replies import DONE, SSE, Reply, Response, apply_reply, encode_event, json_response

_SIZES = ("auto", "256x256", "512x512", "1024x1024", "1536x1024", "1024x1536", "1280x720")
_TEXT = Rule(kind="string", nullable=True)
_COUNT = Rule(kind="integer", nullable=True, low=0)
_IMAGES = Rule(
    kind="object",
    fields={
        "model": Rule(kind="string", required=True, low=1),
        "prompt": Rule(kind="string", required=True, low=1),
        "n": Rule(kind="integer", required=True, low=1, high=10),
        "background": _TEXT,
        "moderation": _TEXT,
        "output_compression": _COUNT,
        "output_format": _TEXT,
        "partial_images": _COUNT,
        "quality": _TEXT,
        "size": Rule(kind="string", choices=_SIZES),
        "stream": Rule(kind="boolean", nullable=True),
        "user": Rule(kind="string", nullable=True, high=256),
    },
)
_DEFAULT_SIZE = "1024x1024"
_IMAGE_TOKENS = 4160


@attrs.frozen
class ImagesEndpoint:
    """The image endpoint; *known* are the slugs of the existing models, None if every model exists."""

    known: Sequence[str] | None = None

    def check_images(self, request: RecordedRequest) -> Response | None:
        """Build the error response to a malformed request; None for a well-formed one."""
        problem = find_problem(request.json, _IMAGES) or _check_stream(request.fields)
        return reject_request(request, problem, self.known)

    def generate_images(self, request: RecordedRequest, reply: Reply | None) -> Response:
        """Respond with the images, or with the events of a stream."""
        fields, created = request.fields, int(request.time)
        if request.streams:
            response = Response(pieces=(*_stream_events(fields, created), DONE), content_type=SSE)
        else:
            images = [{"b64_json": _render_image(fields, index)} for index in range(fields["n"])]
            body = {"created": created, "data": images, **_describe_image(fields), "usage": _image_usage(fields)}
            response = json_response(body)
        return apply_reply(reply, response)


def _check_stream(fields: Mapping[str, Any]) -> str | None:
    if fields.get("stream") and not fields.get("partial_images"):
        return "partial_images must be greater than 0 when stream is true."
    return None


def _stream_events(fields: Mapping[str, Any], created: int) -> Iterator[bytes]:
    image = {"b64_json": _render_image(fields, 0), "created_at": created, **_describe_image(fields)}
    for index in range(fields["partial_images"]):
        yield encode_event({"type": "image_generation.partial_image", **image, "partial_image_index": index})
    yield encode_event({"type": "image_generation.completed", **image, "usage": _image_usage(fields)})


def _describe_image(fields: Mapping[str, Any]) -> dict[str, Any]:
    quality, background = _read_option(fields, "quality", "high"), _read_option(fields, "background", "opaque")
    return {"background": background, "output_format": "png", "quality": quality, "size": _image_size(fields)}


def _read_option(fields: Mapping[str, Any], name: str, default: str) -> str:
    value = fields.get(name)
    return default if value in (None, "auto") else str(value)


def _image_size(fields: Mapping[str, Any]) -> str:
    return _read_option(fields, "size", _DEFAULT_SIZE)


def _render_image(fields: Mapping[str, Any], index: int) -> str:
    width, _, height = _image_size(fields).partition("x")
    return base64.b64encode(make_png(f"{fields['prompt']} {index}", int(width), int(height))).decode()


def _image_usage(fields: Mapping[str, Any]) -> dict[str, Any]:
    words, output = len(fields["prompt"].split()), _IMAGE_TOKENS * fields["n"]
    details = {"text_tokens": words, "image_tokens": 0}
    return {
        "total_tokens": words + output,
        "input_tokens": words,
        "output_tokens": output,
        "input_tokens_details": details,
    }
