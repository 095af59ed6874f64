"""Images: the request and its response body.

Source: ``POST /v1/images/generations`` of the serverless reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gradient_async._protocol.http.body_reader import ResponseReader
from gradient_async._protocol.http.timeouts import Timeouts
from gradient_async._protocol.requests.json_post import build_json_post
from gradient_async._protocol.requests.parameters import require_text, without_unset
from gradient_async._protocol.requests.request import Request
from gradient_async.errors import ConfigurationError, quote_argument
from gradient_async.models.images import ImageList
from gradient_async.params import ImageParams

_PATH = "/v1/images/generations"
_KNOWN = ImageParams.__required_keys__ | ImageParams.__optional_keys__

read_images = ResponseReader(ImageList, "data")
"""Decodes the body of a successful response."""


def build_images_request(params: Mapping[str, Any], *, timeouts: Timeouts) -> Request:
    """Build the request for images; ``n``, which the schema requires, defaults to 1.

    Raises:
        ConfigurationError: A parameter is missing or invalid: the model, the prompt, the number of images, or
            ``stream`` is set.
    """
    body = {"n": 1} | without_unset(params, _KNOWN)
    require_text(body, "model", "openai-gpt-image-1")
    require_text(body, "prompt", "A cute baby sea otter")
    count = body["n"]
    if type(count) is not int or count < 1:
        raise ConfigurationError(f"n={quote_argument(count)}: give at least 1 image.")
    if (body | dict(body.get("extra_body") or {})).get("stream"):
        raise ConfigurationError("images.generate returns whole images; leave stream out.")
    return build_json_post(_PATH, body, known=_KNOWN, timeouts=timeouts)
