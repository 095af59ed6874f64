"""Images generated from prompts.

Source: ``POST /v1/images/generations`` of the serverless reference.
"""

from __future__ import annotations

from typing import Unpack

import attrs

from gradient_async._protocol.http.timeouts import Timeouts
from gradient_async._protocol.requests.images import build_images_request, read_images
from gradient_async.models.images import ImageList
from gradient_async.params import ImageParams
from gradient_async.resources.base import Resource


@attrs.frozen(eq=False, repr=False)
class Images(Resource):
    """``session.images``."""

    async def generate(self, *, timeout: float | Timeouts | None = None, **params: Unpack[ImageParams]) -> ImageList:
        """Generate one image from a prompt, or ``n`` images.

        Example:
            ``images = await session.images.generate(model="openai-gpt-image-1", prompt="A cute baby sea otter")``

        Args:
            timeout: Seconds for the whole call, or a `Timeouts` for each part of it. A large image may need more than
                the 60 seconds that ``Timeouts.first_byte`` allows.
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
