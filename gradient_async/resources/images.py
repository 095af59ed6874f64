"""Images generated from prompts.

Source: ``POST /v1/images/generations`` of the serverless reference.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Unpack

from gradient_async._protocol.http.image_body import read_images
from gradient_async._protocol.http.timeouts import Timeouts
from gradient_async._protocol.requests.images import build_images_request
from gradient_async.models.images import ImageList
from gradient_async.params import ImageParams, ImageStreamParams
from gradient_async.resources.base import StreamingResource

if TYPE_CHECKING:
    from gradient_async._io.stream.image_stream import ImageStream


class Images(StreamingResource):
    """``session.images``."""

    async def generate(self, *, timeout: float | Timeouts | None = None, **params: Unpack[ImageParams]) -> ImageList:
        """Generate one image from a prompt, or ``n`` images.

        Example:
            ``images = await session.images.generate(model="openai-gpt-image-1", prompt="A cute baby sea otter")``

        Args:
            timeout: Seconds for the whole call, or a `Timeouts` for each part of it.
            **params: Documented parameters; any other keyword goes into the body unchanged.

        Returns:
            The `ImageList`, with the images in ``data``.

        Raises:
            ConfigurationError: The call cannot work; nothing was sent.
            APIStatusError: The service refused the request; the subclass says why.
            APIConnectionError: No response came.
            ProtocolError: The response has no images.
        """
        request = build_images_request(params, timeouts=self._timeouts.override_with(timeout))
        return await self._pipeline.send_and_decode(request, self._target(), read_images)

    def stream(self, *, timeout: float | Timeouts | None = None, **params: Unpack[ImageStreamParams]) -> ImageStream:
        """Return images as a stream of previews; the request is sent when the stream is entered or first read.

        Example:
            ``images = await session.images.stream(model=M, prompt="A cute baby sea otter", partial_images=2).images()``

        Args:
            timeout: As for `generate`; a number of seconds covers the whole stream.
            **params: As for `generate`, and the number of previews.

        Returns:
            The `ImageStream`.

        Raises:
            ConfigurationError: The call cannot work; nothing was sent.
        """
        from gradient_async._io.stream.image_stream import ImageStream  # many programs never stream

        request = build_images_request(params, stream=True, timeouts=self._timeouts.override_with(timeout))
        return self._new_stream(partial(ImageStream, count=params.get("n") or 1), request)
