"""A generated file: speech, or a video.

Contract: unlike other results it is not JSON, and `MediaFile.save` writes to disk, which the other results never do.
Source: ``POST /v1/audio/speech`` and ``GET /v1/videos/{video_id}/content`` of the serverless reference.
"""

import os
from pathlib import Path
from typing import Any

import attrs

from gradient_async.models._base import Displayed
from gradient_async.models.response_meta import ResponseMeta

_SUFFIXES = {
    "audio/aac": ".aac",
    "audio/flac": ".flac",
    "audio/l16": ".pcm",
    "audio/mp3": ".mp3",
    "audio/mpeg": ".mp3",
    "audio/ogg": ".ogg",
    "audio/opus": ".opus",
    "audio/pcm": ".pcm",
    "audio/vnd.wave": ".wav",
    "audio/wav": ".wav",
    "audio/wave": ".wav",
    "audio/webm": ".webm",
    "audio/x-wav": ".wav",
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/webp": ".webp",
    "video/mp4": ".mp4",
    "video/quicktime": ".mov",
    "video/webm": ".webm",
}


@attrs.define(kw_only=True, repr=False)
class MediaFile(Displayed):
    """The bytes of a generated file, and their type.

    Attributes:
        content: The bytes of the file.
        content_type: Its media type as the service states it, else as its first bytes show it: ``"audio/mpeg"``.
        raw: The JSON object that the file came in; empty if the response was the file itself.
        meta: Request id, rate limits, attempts and timings of the call.
    """

    content: bytes
    content_type: str
    raw: dict[str, Any] = attrs.field(factory=dict)
    meta: ResponseMeta = attrs.field(factory=ResponseMeta, eq=False)

    @property
    def suffix(self) -> str:
        """The usual ending of the name of such a file, as ``".mp3"``; ``".bin"`` for an unknown type."""
        return _SUFFIXES.get(self.content_type.partition(";")[0].strip().lower(), ".bin")

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the file to *path*, replacing an older file there, and return the path.

        It writes at once, as ``Path.write_bytes`` does; await ``asyncio.to_thread(file.save, path)`` for large files.

        Raises:
            OSError: The file cannot be written.
        """
        target = Path(path)
        target.write_bytes(self.content)
        return target

    def __bytes__(self) -> bytes:
        return self.content

    def __repr__(self) -> str:
        return f"MediaFile({self.content_type!r}, <{len(self.content)} bytes>)"
