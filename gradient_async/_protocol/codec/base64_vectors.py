"""Decodes embedding vectors that arrive as base64.

Contract: pure. A value that is not such a vector stays as it is, for the converter to reject.
Source: ``encoding_format`` of the embeddings reference; little-endian float32 is the convention of the OpenAI API.
"""

from __future__ import annotations

import base64
import sys
from array import array
from binascii import Error as Base64Error
from typing import Any


def decode_base64_vectors(value: Any) -> Any:
    """Return a decoded embeddings response with a list of floats for every base64 vector."""
    if type(value) is not dict or type(value.get("data")) is not list:
        return value
    return value | {"data": [_decode_vector(item) if type(item) is dict else item for item in value["data"]]}


def _decode_vector(item: dict[str, Any]) -> dict[str, Any]:
    text = item.get("embedding")
    if type(text) is not str:
        return item
    try:
        floats = array("f", base64.b64decode(text, validate=True))
    except (Base64Error, ValueError):
        return item
    if sys.byteorder == "big":
        floats.byteswap()
    return item | {"embedding": floats.tolist()}
