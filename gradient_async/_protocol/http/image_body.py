"""The reader of the body of whole images, which a stream may get too.

Source: ``POST /v1/images/generations`` of the serverless reference.
"""

from __future__ import annotations

from gradient_async._protocol.http.body_reader import ResponseReader
from gradient_async.models.images import ImageList

read_images = ResponseReader(ImageList, "data")
"""Decodes the body of a successful response."""
