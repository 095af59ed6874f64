"""Decodes and encodes JSON text.

Contract: msgspec is tried first. It rejects lone surrogates, NaN and invalid UTF-8; the standard library, which reads
and writes them, is the fallback.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

import msgspec

from gradient_async.errors import ConfigurationError, ResponseDecodeError
from gradient_async.models._base import to_jsonable
from gradient_async.models._raw_source import load_json

EXCERPT_CHARS = 500
_MAX_KEPT_LEVELS = 32
"""Deeper values could not be pickled or printed within Python's recursion limit."""

_SIGNED_FIELD = (
    r"(?i)((?:[?&;]|%3F|%26|u0026)(?:X-(?:Amz|Goog)-)?(?:Signature|Credential|Security-Token|sig)(?:=|%3D))"
    r"(?:(?!%26)[^&\s\"'<>\\])+"
)
"""A field of a presigned URL that grants access, as S3, Google and Azure name it; its text may be escaped."""

_decode_fast = msgspec.json.Decoder().decode
_encode_fast = msgspec.json.Encoder().encode


def shorten_text(text: str, chars: int = EXCERPT_CHARS) -> str:
    """Return *text* without signatures, cut to its first *chars* characters and ``...`` if it is longer."""
    return hide_signatures(text) if len(text) <= chars else f"{hide_signatures(text[:chars])}..."


def hide_signatures(text: str) -> str:
    """Replace the secret values of presigned URLs in *text* by ``...``: whoever has one can use the URL."""
    return re.sub(_SIGNED_FIELD, r"\1...", text)  # compiled for the first error


def decode_json(body: bytes | str) -> Any:
    """Decode the JSON value in *body*.

    Raises:
        ResponseDecodeError: The body is not JSON. The error carries an excerpt, its message does not.
    """
    try:
        return _decode_fast(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        pass
    text = body if isinstance(body, str) else body.decode(errors="replace")
    try:
        return load_json(text)
    except (ValueError, RecursionError):
        pass
    raise ResponseDecodeError("The service sent something that is not valid JSON.", body=shorten_text(text))


def bound_json(value: Any, chars: int) -> Any:
    """Return the JSON *value* if its text has at most *chars* characters and it is not nested deeply, else an excerpt.

    The excerpt is the beginning of its JSON text. What the service sent may be kept in an error this way.
    """
    if _is_deeper(value, _MAX_KEPT_LEVELS):
        return "..."
    text = value if isinstance(value, str) else encode_jsonable(value).decode()
    if len(text) > chars:
        return shorten_text(text, chars)
    shown = hide_signatures(text)
    if shown == text:
        return value
    return shown if isinstance(value, str) else load_json(shown)


def _is_deeper(value: Any, levels: int) -> bool:
    """Whether *value* has more than *levels* lists or objects inside each other."""
    layer = [value]
    for _ in range(levels + 1):
        layer = [child for item in layer for child in _list_children(item)]
    return bool(layer)


def _list_children(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def is_complete_json(text: str) -> bool:
    """Whether *text* is one complete JSON value."""
    try:
        load_json(text)
    except (ValueError, RecursionError):
        return False
    return True


def encode_json(value: Any) -> bytes:
    """Encode *value* as JSON; models inside it become objects.

    Raises:
        ConfigurationError: A value inside it has no JSON form.
    """
    return encode_jsonable(to_jsonable(value))


def encode_jsonable(value: Any) -> bytes:
    """Encode *value*, which holds no models, as JSON.

    Raises:
        ConfigurationError: A value inside it has no JSON form.
    """
    try:
        return _encode_fast(value)
    except (TypeError, ValueError, OverflowError, RecursionError):  # of digits without end, a lone surrogate
        pass
    problem = ""
    try:
        return json.dumps(value, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError) as error:
        problem = str(error)
    raise ConfigurationError(f"The request cannot be written as JSON: {problem}.")
