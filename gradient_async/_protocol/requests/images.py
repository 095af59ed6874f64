"""Images: the request; `image_body` reads the response.

Source: ``POST /v1/images/generations`` of the serverless reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gradient_async._protocol.http.timeouts import Timeouts
from gradient_async._protocol.requests.json_post import PostBuilder
from gradient_async._protocol.requests.request import Request
from gradient_async.errors import ConfigurationError, quote_argument
from gradient_async.params import ImageStreamParams

_PATH = "/v1/images/generations"
_POST = PostBuilder(ImageStreamParams, model="openai-gpt-image-1", prompt="A cute baby sea otter")


def build_images_request(params: Mapping[str, Any], *, stream: bool = False, timeouts: Timeouts) -> Request:
    """Build the request for images.

    ``n``, which the schema requires, defaults to 1, and so do the ``partial_images`` that a stream needs.

    Raises:
        ConfigurationError: A parameter is missing or invalid: the model, the prompt, the number of images, or
            ``stream`` is set.
    """
    body = {"n": 1} | ({"partial_images": 1} if stream else {}) | _POST.read_params(params)
    count = body["n"]
    if type(count) is not int or count < 1:
        raise ConfigurationError(f"n={quote_argument(count)}: give at least 1 image.")
    if (body | dict(body.get("extra_body") or {})).get("stream"):
        raise ConfigurationError(
            "images.generate returns whole images, images.stream a stream of previews; leave stream out of both."
        )
    return _POST.build_request(_PATH, body, stream=stream, timeouts=timeouts)
