"""The parameters of embeddings, images and asynchronous invocations.

Source: ``POST /v1/embeddings``, ``/v1/images/generations`` and ``/v1/async-invoke`` of the serverless reference.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, Required, TypedDict


class EmbeddingParams(TypedDict, total=False):
    """The parameters of embeddings. The service refuses any other.

    Attributes:
        input: One text, or up to 2,048.
        model: The model's slug.
        encoding_format: How the vectors travel; they are lists of numbers in any case.
        user: Who asks, in your terms.
        extra_body: Merged into the body as it is.
        extra_headers: Added to the request; the session's own cannot be set.
    """

    input: Required[str | Iterable[str]]
    model: Required[str]
    encoding_format: Literal["float", "base64"] | None
    user: str | None
    extra_body: Mapping[str, Any] | None
    extra_headers: Mapping[str, str] | None


class ImageParams(TypedDict, total=False):
    """The parameters of images.

    Attributes:
        model: The model's slug.
        prompt: What to draw.
        background: Whether it is transparent.
        moderation: How strictly prompts are judged.
        n: From 1 to 10: how many images; 1 unless given.
        output_compression: From 0 to 100, for formats that compress.
        output_format: The format of the files.
        quality: How carefully to draw.
        size: Pixels, as ``"1024x1024"``, or ``"auto"``.
        user: Who asks, in your terms.
        extra_body: Merged into the body as it is.
        extra_headers: Added to the request; the session's own cannot be set.
    """

    model: Required[str]
    prompt: Required[str]
    background: Literal["transparent", "opaque", "auto"] | None
    moderation: Literal["low", "auto"] | None
    n: int | None
    output_compression: int | None
    output_format: Literal["png", "webp", "jpeg"] | None
    quality: Literal["auto", "high", "medium", "low"] | None
    size: str | None
    user: str | None
    extra_body: Mapping[str, Any] | None
    extra_headers: Mapping[str, str] | None


class InvocationInputParam(TypedDict, total=False):
    """What an invoked model takes; some have fields more.

    Attributes:
        prompt: What to draw or to sound like, for images and audio.
        text: What to say, for speech.
        output_format: The format of the file.
        num_inference_steps: How often an image is refined.
        guidance_scale: How closely an image follows its prompt.
        num_images: How many images.
        enable_safety_checker: Whether images are checked.
        seconds_total: How long the audio is, in seconds.
    """

    prompt: str
    text: str
    output_format: str | None
    num_inference_steps: int | None
    guidance_scale: float | None
    num_images: int | None
    enable_safety_checker: bool | None
    seconds_total: int | None


class TagParam(TypedDict):
    """A tag of an invocation.

    Attributes:
        key: What it is about.
        value: What it says.
    """

    key: str
    value: str


class InvocationParams(TypedDict, total=False):
    """The parameters of an asynchronous invocation.

    Attributes:
        model_id: The model's id, as ``"fal-ai/flux/schnell"``.
        input: What the model takes.
        tags: What to keep with the invocation.
        extra_body: Merged into the body as it is.
        extra_headers: Added to the request; the session's own cannot be set.
    """

    model_id: Required[str]
    input: Required[InvocationInputParam | Mapping[str, Any]]
    tags: Iterable[TagParam] | None
    extra_body: Mapping[str, Any] | None
    extra_headers: Mapping[str, str] | None
