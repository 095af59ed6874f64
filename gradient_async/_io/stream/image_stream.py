"""The stream of the images API."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from gradient_async._io.stream.event_stream import EventFormat, EventStream
from gradient_async._io.stream.stream_reader import Opener
from gradient_async._protocol.stream import MAX_EVENT_BYTES
from gradient_async._protocol.stream.image_accumulator import (
    IMAGE_DIALECT,
    ImageAccumulator,
    ImageDecoder,
    image_list_to_events,
)
from gradient_async._protocol.stream.sse_encoder import RESPONSE_ENCODER
from gradient_async.errors import GradientError, StreamTruncatedError
from gradient_async.models.image_event import ImageEvent
from gradient_async.models.images import ImageList


def _image_has_token(event: ImageEvent) -> bool:
    return bool(event.b64_json)


def _no_image_error() -> GradientError:
    return StreamTruncatedError(
        "The stream ended before an image was whole. The newest preview is in .snapshot, if one arrived; send the "
        "request again for a whole image."
    )


class ImageStream(EventStream[ImageEvent, ImageList]):
    """The previews of images as they arrive, and the whole images.

    Iterating gives `ImageEvent`. The request is sent when the stream is entered or first read. Ownership of the
    connection, end, outcome and errors are those of `ChatStream`; ``snapshot`` is an `ImageList` of the whole images
    and the newest preview, whose ``partial_image_index`` is not None. ``text()`` gives nothing.

    Example::

        async with session.images.stream(model=M, prompt="A cute baby sea otter", partial_images=2) as stream:
            async for event in stream:
                Path("otter.png").write_bytes(event.content)
            print(stream.snapshot.usage)
    """

    __slots__ = ()
    _encoder = RESPONSE_ENCODER
    _format = EventFormat(
        dialect=IMAGE_DIALECT,
        accumulator=ImageAccumulator,
        decode_json_body=image_list_to_events,
        has_token=_image_has_token,
        failure=_no_image_error,
    )

    def __init__(self, opener: Opener, *, count: int = 1, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        decoder = ImageDecoder(max_event_bytes=max_event_bytes, remaining=count)
        super().__init__(opener, decoder=decoder, accumulator=ImageAccumulator(count))

    def images(self) -> Coroutine[Any, Any, ImageList]:
        """Read to the end and return the whole images."""
        return self._read_to_end()
