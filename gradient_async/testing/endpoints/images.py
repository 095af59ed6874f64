"""Image generation: pictures of one colour, which depends on the prompt only.

Contract: pure. Every picture is a PNG, whatever format was asked for, and the answer says so. The partial images of a
stream are the whole ones.
Source: the image request, the response and the example of a stream of the Inference API reference.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs

from gradient_async.testing.endpoints.checks import malformed, unknown_model
from gradient_async.testing.endpoints.validator import Rule, fault
from gradient_async.testing.model.sample_media import png
from gradient_async.testing.recorded_request import RecordedRequest
from gradient_async.testing.replies import DONE, SSE, Answer, Reply, event, json_answer

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
class Images:
    """The endpoint's decisions; *known* are the slugs of the models that exist, None if all do."""

    known: Sequence[str] | None = None

    def check(self, request: RecordedRequest) -> Answer | None:
        """Answer a malformed request; None if it is well-formed."""
        found = fault(request.json, _IMAGES) or _stream_fault(request.fields)
        return malformed(request, found) or unknown_model(request, self.known)

    def answer(self, request: RecordedRequest, reply: Reply | None) -> Answer:
        """Answer with the pictures, whole or as a stream."""
        fields, created = request.fields, int(request.time)
        if request.streams:
            answer = Answer(pieces=(*_events(fields, created), DONE), content_type=SSE)
        else:
            images = [{"b64_json": _picture(fields, index)} for index in range(fields["n"])]
            body = {"created": created, "data": images, **_look(fields), "usage": _usage(fields)}
            answer = json_answer(body)
        return reply.style(answer) if reply else answer


def _stream_fault(fields: Mapping[str, Any]) -> str | None:
    if fields.get("stream") and not fields.get("partial_images"):
        return "partial_images must be greater than 0 when stream is true."
    return None


def _events(fields: Mapping[str, Any], created: int) -> Iterator[bytes]:
    said = {"b64_json": _picture(fields, 0), "created_at": created, **_look(fields)}
    for index in range(fields["partial_images"]):
        yield event({"type": "image_generation.partial_image", **said, "partial_image_index": index})
    yield event({"type": "image_generation.completed", **said, "usage": _usage(fields)})


def _look(fields: Mapping[str, Any]) -> dict[str, Any]:
    quality, background = _chosen(fields, "quality", "high"), _chosen(fields, "background", "opaque")
    return {"background": background, "output_format": "png", "quality": quality, "size": _size(fields)}


def _chosen(fields: Mapping[str, Any], name: str, default: str) -> str:
    value = fields.get(name)
    return default if value in (None, "auto") else str(value)


def _size(fields: Mapping[str, Any]) -> str:
    return _chosen(fields, "size", _DEFAULT_SIZE)


def _picture(fields: Mapping[str, Any], index: int) -> str:
    width, _, height = _size(fields).partition("x")
    return base64.b64encode(png(f"{fields['prompt']} {index}", int(width), int(height))).decode()


def _usage(fields: Mapping[str, Any]) -> dict[str, Any]:
    words, output = len(fields["prompt"].split()), _IMAGE_TOKENS * fields["n"]
    details = {"text_tokens": words, "image_tokens": 0}
    return {
        "total_tokens": words + output,
        "input_tokens": words,
        "output_tokens": output,
        "input_tokens_details": details,
    }
