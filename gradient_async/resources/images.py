"""Images from prompts.

Source: ``POST /v1/images/generations``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Unpack

import attrs

from gradient_async._io.http.pipeline import Pipeline
from gradient_async._io.http.target import Target
from gradient_async._protocol.http.timeouts import Timeouts
from gradient_async._protocol.requests.images import build_images_request, read_images
from gradient_async.models.images import ImageList
from gradient_async.params import ImageParams


@attrs.frozen(eq=False, repr=False)
class Images:
    """``session.images``."""

    _pipeline: Pipeline
    _target: Callable[[], Target]
    _timeouts: Timeouts

    async def generate(self, *, timeout: float | Timeouts | None = None, **params: Unpack[ImageParams]) -> ImageList:
        """Return one image of a prompt, or ``n`` of them, in ``data``.

        Args:
            timeout: Seconds for the whole call, or a `Timeouts` for every part of it. A large image may need more than
                the 60 seconds that ``Timeouts.first_byte`` allows.
            **params: The documented parameters; any other keyword goes into the body as it is.

        Raises:
            ConfigurationError: The call cannot work; nothing was sent.
            APIStatusError: The service refused; the class says how.
            APIConnectionError: No answer came.
            ProtocolError: The answer has no images.
        """
        request = build_images_request(params, timeouts=self._timeouts.override_with(timeout))
        return await self._pipeline.send_and_decode(request, self._target(), read_images)
