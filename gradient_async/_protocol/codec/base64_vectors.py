"""Embedding vectors that arrive as base64.

Contract: pure. What is no such vector stays as it is, for the converter to refuse.
Source: ``encoding_format`` of the embeddings reference; little-endian float32 is the convention of the OpenAI API.
"""

from __future__ import annotations

import base64
import sys
from array import array
from binascii import Error as Base64Error
from typing import Any


def decode_base64_vectors(value: Any) -> Any:
    """Return an embeddings answer whose base64 vectors are lists."""
    if type(value) is not dict or type(value.get("data")) is not list:
        return value
    return value | {"data": [_vector(item) if type(item) is dict else item for item in value["data"]]}


def _vector(item: dict[str, Any]) -> dict[str, Any]:
    text = item.get("embedding")
    if type(text) is not str:
        return item
    try:
        numbers = array("f", base64.b64decode(text, validate=True))
    except (Base64Error, ValueError):
        return item
    if sys.byteorder == "big":
        numbers.byteswap()
    return item | {"embedding": numbers.tolist()}
