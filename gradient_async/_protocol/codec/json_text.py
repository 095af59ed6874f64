"""JSON text and values: the quick road, and the one for what it refuses.

Contract: the quick decoder refuses lone surrogates, NaN and invalid UTF-8; the standard library reads and writes them.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from gradient_async.errors import ConfigurationError, ResponseDecodeError
from gradient_async.models._base import to_jsonable

EXCERPT_CHARS = 500

_quick_json = msgspec.json.Decoder().decode
_quick_bytes = msgspec.json.Encoder().encode


def shorten_text(text: str, chars: int = EXCERPT_CHARS) -> str:
    """Return the beginning of *text*, short enough for an error."""
    return text if len(text) <= chars else f"{text[:chars]}..."


def decode_json(body: bytes | str) -> Any:
    """Return the JSON value in *body*.

    The quick decoder refuses lone surrogates, NaN and invalid UTF-8; the standard library reads them.

    Raises:
        ResponseDecodeError: It is not JSON. The error carries an excerpt, its text does not.
    """
    try:
        return _quick_json(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    text = body if isinstance(body, str) else body.decode(errors="replace")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    raise ResponseDecodeError("The service sent something that is not valid JSON.", body=shorten_text(text))


def is_complete_json(text: str) -> bool:
    """Whether *text* is one complete JSON value."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def encode_json(value: Any) -> bytes:
    """Return *value* as JSON bytes; models inside it become objects.

    Raises:
        ConfigurationError: Something inside it has no JSON form.
    """
    return encode_jsonable(to_jsonable(value))


def encode_jsonable(tree: Any) -> bytes:
    """Return *tree*, which has no models in it, as JSON bytes.

    Raises:
        ConfigurationError: Something inside it has no JSON form.
    """
    try:
        return _quick_bytes(tree)
    except (TypeError, UnicodeEncodeError, OverflowError, RecursionError):
        pass
    problem = ""
    try:
        return json.dumps(tree, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError) as error:
        problem = str(error)
    raise ConfigurationError(f"The request cannot be written as JSON: {problem}.")
