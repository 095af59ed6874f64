"""Decodes an image stream, and assembles its result.

Contract: a stream is complete with as many whole images as were requested, or when the service marks its end after at
least one. Memory holds the whole images and the newest preview. An image counts under whatever type it comes.

Source: the streaming example of ``POST /v1/images/generations`` in the serverless reference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from gradient_async._protocol.codec.converter import structure
from gradient_async._protocol.http.error_body import require_json
from gradient_async._protocol.http.image_body import read_images
from gradient_async._protocol.stream import MAX_EVENT_BYTES
from gradient_async._protocol.stream.event_decoder import Dialect, EventDecoder
from gradient_async.models.image_event import ImageEvent
from gradient_async.models.images import GeneratedImage, ImageList, ImageUsage

if TYPE_CHECKING:
    from gradient_async._protocol.stream.interfaces import StreamOutcome

_PARTIAL, _COMPLETED = "image_generation.partial_image", "image_generation.completed"
_SHARED_FIELDS = ("background", "output_format", "quality", "size")


def image_list_to_events(body: bytes, content_type: str) -> list[ImageEvent]:
    """Return the events of whole images that came instead of a stream.

    Raises:
        APIStatusError: The body is an error object.
        ProtocolError: The body has no images.
    """
    require_json(body, content_type)
    return _split_images(read_images(body))


def _split_images(images: ImageList) -> list[ImageEvent]:
    """Return an event for each image."""
    shared: dict[str, Any] = {name: getattr(images, name) for name in _SHARED_FIELDS}
    return [
        ImageEvent(
            type=_COMPLETED,
            b64_json=image.b64_json,
            revised_prompt=image.revised_prompt,
            created_at=images.created,
            usage=images.usage,
            **shared,
        )
        for image in images.data
    ]


def _split_result(value: dict[str, Any]) -> list[ImageEvent]:
    """Return the events of images in an object without a type of this API; none if it has no image."""
    if isinstance(value.get("data"), list):
        return _split_images(structure(value, ImageList))
    if not isinstance(value.get("b64_json"), str):
        return []
    is_partial = value.get("partial_image_index") is not None or "partial" in str(value.get("type"))
    return [structure(value | {"type": _PARTIAL if is_partial else _COMPLETED}, ImageEvent, raw=value)]


IMAGE_DIALECT = Dialect(
    event_class=ImageEvent,
    known_types=frozenset({_PARTIAL, _COMPLETED}),
    final_types=frozenset({_COMPLETED}),
    has_done_marker=True,
    find_failure=lambda _: None,
    split_result=_split_result,
)


class ImageDecoder(EventDecoder[ImageEvent]):
    """Decodes the body of an image stream, fed in blocks of any size.

    Attributes:
        remaining: Number of whole images that are still to come.
    """

    __slots__ = ("remaining",)

    def __init__(self, *, remaining: int = 1, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        super().__init__(IMAGE_DIALECT, max_event_bytes=max_event_bytes)
        self.remaining = remaining

    def _add_event(self, event: ImageEvent, events: list[ImageEvent]) -> None:
        """Append *event* to *events*; the last whole image ends the stream."""
        events.append(event)
        self.remaining -= event.type == _COMPLETED
        self.done = self.remaining <= 0


@attrs.define(eq=False, repr=False)
class ImageAccumulator:
    """Assembles the events of a stream into its images.

    Attributes:
        count: Number of images that were requested.
        usage: The tokens that the call is billed for; None until the service states them.
    """

    count: int = 1
    usage: ImageUsage | None = attrs.field(default=None, init=False)
    _images: list[GeneratedImage] = attrs.field(factory=list, init=False)
    _preview: GeneratedImage | None = attrs.field(default=None, init=False)
    _newest: ImageEvent = attrs.field(factory=ImageEvent, init=False)

    @property
    def has_failed(self) -> bool:
        """Whether no image is whole."""
        return not self._images

    @property
    def outcome(self) -> StreamOutcome:
        """The outcome of the stream, once it is complete."""
        return "done"

    @property
    def output_tokens(self) -> int | None:
        """The number of generated tokens, None if the service did not report it."""
        return self.usage.output_tokens if self.usage is not None else None

    @property
    def is_complete(self) -> bool:
        """Whether every image is whole, so that the body may end here."""
        return len(self._images) >= self.count

    def add_decoded(self, event: ImageEvent) -> None:
        """Add the next event of the stream."""
        if not (event.is_partial or event.type == _COMPLETED):
            return
        self._newest, self.usage = event, event.usage or self.usage
        image = GeneratedImage(b64_json=event.b64_json, revised_prompt=event.revised_prompt)
        if event.is_partial:
            image.partial_image_index = event.partial_image_index or 0
            self._preview = image
        else:
            self._images.append(image)
            self._preview = None

    def snapshot(self) -> ImageList:
        """Return the whole images, and the newest preview of the image under way."""
        shared: dict[str, Any] = {name: getattr(self._newest, name) for name in _SHARED_FIELDS}
        data = [*self._images, *([self._preview] if self._preview else [])]
        return ImageList(created=self._newest.created_at, data=data, usage=self.usage, **shared)
