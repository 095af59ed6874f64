"""Reads a response that is a file: its bytes, or JSON that holds them in base64.

Contract: pure; an error object is raised, whatever content type it has. The content type of a file is the service's
statement; if there is none, or one that says nothing, the first bytes of the file decide.

Source: ``POST /v1/audio/speech`` of the serverless reference, which allows both forms; ``b64_json`` of its images.
"""

from __future__ import annotations

import base64
import re
from binascii import Error as Base64Error
from collections import deque
from typing import Any

from gradient_async._protocol.codec.json_text import decode_json, shorten_text
from gradient_async._protocol.http.error_detection import find_error
from gradient_async.errors import ProtocolError, ResponseDecodeError
from gradient_async.models.media_file import MediaFile

UNKNOWN_TYPE = "application/octet-stream"
_SILENT_TYPES = ("", UNKNOWN_TYPE, "binary/octet-stream")
_FILE_TYPES = ("audio/", "image/", "video/")
_TYPE_FIELDS = ("content_type", "mime_type", "media_type")
_DATA_URI = re.compile(r"data:([^;,]*)[^,]*;base64,", re.IGNORECASE)
_EXCERPT_BYTES = 200

# The first bytes of each format; a dot stands for any byte.
_SIGNATURES: tuple[tuple[re.Pattern[bytes], str], ...] = tuple(
    (re.compile(pattern, re.DOTALL), kind)
    for pattern, kind in (
        (rb"ID3", "audio/mpeg"),
        (rb"\xff[\xf0\xf1\xf8\xf9]", "audio/aac"),
        (rb"\xff[\xe0-\xff]", "audio/mpeg"),
        (rb"RIFF....WAVE", "audio/wav"),
        (rb"OggS", "audio/ogg"),
        (rb"fLaC", "audio/flac"),
        (rb"....ftyp", "video/mp4"),
        (rb"\x1aE\xdf\xa3", "video/webm"),
        (rb"\x89PNG", "image/png"),
        (rb"\xff\xd8\xff", "image/jpeg"),
        (rb"RIFF....WEBP", "image/webp"),
    )
)


def read_media_file(body: bytes, content_type: str) -> MediaFile:
    """Read the *body* of a successful response with the header *content_type*.

    Raises:
        APIStatusError: The body is an error object.
        ResponseDecodeError: The body is empty, or JSON without a file.
        ProtocolError: The body is a text, as a web page.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if (value := _decode_object(body)) is not None:
        return _read_json(value)
    if kind.startswith("text/") or kind.endswith(("json", "xml")):
        excerpt = " ".join(body[:_EXCERPT_BYTES].decode(errors="replace").split())
        raise ProtocolError(f"The service sent {kind} instead of a file: {excerpt!r}.")
    if not body:
        raise empty_file_error()
    return MediaFile(content=body, content_type=sniff_type(body) if kind in _SILENT_TYPES else content_type)


def names_file(content_type: str) -> bool:
    """Whether a response with the header *content_type* is a file itself, so that its blocks may be written as such."""
    kind = content_type.partition(";")[0].strip().lower()
    return kind in _SILENT_TYPES or kind.startswith(_FILE_TYPES)


def empty_file_error() -> ResponseDecodeError:
    """Return the error of a file without a byte."""
    return ResponseDecodeError("The service sent an empty file.")


def sniff_type(content: bytes) -> str:
    """Return the media type that the first bytes of a file show; ``application/octet-stream`` if they show none."""
    return next((kind for pattern, kind in _SIGNATURES if pattern.match(content)), UNKNOWN_TYPE)


def _decode_object(body: bytes) -> dict[str, Any] | None:
    """Return the JSON object that *body* is; None if it is anything else. No file format begins like an object."""
    if body[:64].lstrip()[:1] != b"{":
        return None
    try:
        value = decode_json(body)
    except ResponseDecodeError:
        return None
    return value if isinstance(value, dict) else None


def _read_json(value: dict[str, Any]) -> MediaFile:
    if error := find_error(value):
        raise error
    holder = _find_holder(value)
    if holder is None:
        raise ResponseDecodeError(
            "The service sent JSON without a file; .body has its beginning.",
            path="$.data[0].b64_json",
            body=shorten_text(str(value)),
        )
    text = holder["b64_json"]
    prefix = _DATA_URI.match(text)
    content = _decode_base64(text[prefix.end() :] if prefix else text)
    stated = [holder.get(name) or value.get(name) for name in _TYPE_FIELDS] + [prefix[1] if prefix else None]
    kind = next((name for name in stated if isinstance(name, str) and "/" in name), None)
    return MediaFile(content=content, content_type=kind or sniff_type(content), raw=value)


def _find_holder(value: dict[str, Any]) -> dict[str, Any] | None:
    """Return the first object in *value*, at any depth, with a file in its field ``b64_json``."""
    pending: deque[Any] = deque([value])
    while pending:
        item = pending.popleft()
        if isinstance(item, dict):
            if isinstance(item.get("b64_json"), str) and item["b64_json"]:
                return item
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item)
    return None


def _decode_base64(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (Base64Error, ValueError):
        pass
    raise ResponseDecodeError("The service sent a file that is not base64.", path="$.data[0].b64_json")
