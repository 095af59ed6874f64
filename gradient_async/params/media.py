"""The parameters of embeddings, images and asynchronous invocations.

Source: ``POST /v1/embeddings``, ``/v1/images/generations`` and ``/v1/async-invoke`` of the serverless reference.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, Required, TypedDict

from gradient_async.params import ExtraParams


class SharedEmbeddingParams(ExtraParams, total=False):
    """The parameters of embeddings except the texts. The service rejects any other.

    Attributes:
        model: Slug of the model.
        encoding_format: Wire format of the vectors; results have lists of numbers in both cases.
        user: Your identifier of the end user.
    """

    model: Required[str]
    encoding_format: Literal["float", "base64"] | None
    user: str | None


class EmbeddingParams(SharedEmbeddingParams):
    """The parameters of embeddings.

    Attributes:
        input: One text, or up to 2,048 texts.
    """

    input: Required[str | Iterable[str]]


class ImageParams(ExtraParams, total=False):
    """The parameters of images.

    Attributes:
        model: Slug of the model.
        prompt: Description of the image.
        background: Transparency of the background.
        moderation: Strictness of moderation.
        n: Number of images, from 1 to 10; default: 1.
        output_compression: Compression level from 0 to 100, for formats with compression.
        output_format: File format.
        quality: Quality of the image.
        size: Width and height in pixels, as ``"1024x1024"``, or ``"auto"``.
        user: Your identifier of the end user.
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


class ImageStreamParams(ImageParams, total=False):
    """The parameters of a stream of images.

    Attributes:
        partial_images: Number of previews of each image, at least 1; default: 1.
    """

    partial_images: int | None


class InvocationInputParam(TypedDict, total=False):
    """The input of an invoked model; some models accept more fields.

    Attributes:
        prompt: Description of an image or of audio.
        text: Text to speak.
        output_format: File format.
        num_inference_steps: Number of refinement steps of an image.
        guidance_scale: How closely an image follows its prompt.
        num_images: Number of images.
        enable_safety_checker: Whether images are checked for safety.
        seconds_total: Length of the audio, in seconds.
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
        key: Name of the tag.
        value: Value of the tag.
    """

    key: str
    value: str


class InvocationParams(ExtraParams, total=False):
    """The parameters of an asynchronous invocation.

    Attributes:
        model_id: Id of the model, as ``"fal-ai/flux/schnell"``.
        input: Input of the model.
        tags: Tags stored with the invocation.
    """

    model_id: Required[str]
    input: Required[InvocationInputParam | Mapping[str, Any]]
    tags: Iterable[TagParam] | None
