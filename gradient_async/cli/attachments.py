"""Files that go with a prompt: images as data URLs, text files as text.

Contract: the type is read from the first bytes, not from the name. A file of another type is refused before anything is
sent, with the reason.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import attrs
import click

from gradient_async._protocol.sources.line_decoder import find_encoding

MAX_ATTACHMENT_BYTES = 20 * 2**20
Content = str | list[dict[str, Any]]
"""The content of a message: text, or parts of which one at least is an image."""

_IMAGES = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF8", "image/gif"))
_PDF = b"%PDF-"
"""Such a document may be text throughout, which says nothing to a reader."""
_OTHERS = (
    (_PDF, "a PDF document; extract its text first"),
    (b"PK\x03\x04", "a ZIP archive or an office document; attach the files in it, or its text"),
    (b"\x1f\x8b", "compressed; unpack it first"),
    (b"BM", "a bitmap image; convert it to PNG"),
    (b"II*\x00", "a TIFF image; convert it to PNG"),
    (b"MM\x00*", "a TIFF image; convert it to PNG"),
    (b"ID3", "audio, which a chat cannot take"),
    (b"OggS", "audio or video, which a chat cannot take"),
    (b"RIFF", "audio or video, which a chat cannot take"),
)
_BRANDS = {
    b"heic": "an HEIC image; convert it to JPEG",
    b"heix": "an HEIC image; convert it to JPEG",
    b"mif1": "an HEIC image; convert it to JPEG",
    b"avif": "an AVIF image; convert it to PNG",
}
"""Types of the files that begin with an ``ftyp`` box; any other is a video."""


@attrs.frozen
class Attachment:
    """A file in the form of a message's content: its text, or the URL of an image that holds its bytes."""

    text: str | None = None
    image_url: str | None = attrs.field(default=None, repr=False)


def read_attachment(path: Path) -> Attachment:
    """Read the file at *path*.

    Raises:
        click.UsageError: The file is empty, too large, or of a type that a chat cannot take.
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        data = file.read(MAX_ATTACHMENT_BYTES + 1)
    if not data:
        raise click.UsageError(f"{path} cannot be attached: it is empty.")
    if len(data) > MAX_ATTACHMENT_BYTES:
        raise click.UsageError(f"{path} cannot be attached: it is larger than {MAX_ATTACHMENT_BYTES >> 20} MiB.")
    if image_type := detect_image(data):
        return Attachment(image_url=f"data:{image_type};base64,{b64encode(data).decode()}")
    text = decode_text(data)
    if text is None:
        raise click.UsageError(f"{path} cannot be attached: it is {describe_type(data)}.")
    return Attachment(text=f"File {path.name}:\n\n{text}")


def detect_image(data: bytes) -> str | None:
    """Return the media type of an image that models read, None for other data."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((name for start, name in _IMAGES if data.startswith(start)), None)


def decode_text(data: bytes) -> str | None:
    """Return the text of UTF-8, with or without a byte order mark, or of UTF-16 or UTF-32 with one; else None."""
    if data.startswith(_PDF):
        return None
    try:
        text = data.decode(find_encoding(data) or "utf-8-sig")
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def describe_type(data: bytes) -> str:
    """Return a description of data that is neither text nor an image that models read, and a way on."""
    if data[4:8] == b"ftyp":
        return _BRANDS.get(data[8:12], "a video, which a chat cannot take as a file")
    known = next((reason for start, reason in _OTHERS if data.startswith(start)), None)
    return known or "neither a PNG, JPEG, GIF or WebP image nor text in UTF-8"


def build_content(prompt: str, attachments: Iterable[Attachment]) -> Content:
    """Return the content of a message: the *attachments*, then the prompt; plain text if no image is among them."""
    files = list(attachments)
    text = "\n\n".join([*(file.text for file in files if file.text is not None), prompt])
    images = [{"type": "image_url", "image_url": {"url": file.image_url}} for file in files if file.image_url]
    return [*images, {"type": "text", "text": text}] if images else text
