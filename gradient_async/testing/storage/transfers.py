"""Uploads to disk and downloads on the socket of the storage host.

Contract: makes no decision. An upload is a separate file until it is complete.
Source: the S3 API: an object appears when it is complete, and its entity tag is the MD5 of its bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import attrs

from gradient_async.testing.http.delivery import Delivery
from gradient_async.testing.scripting.faults import CloseConnection, EndBody, Step
from gradient_async.testing.storage.responses import StoredObject


@attrs.define
class Upload:
    """An upload in progress, written to *path*."""

    path: Path
    _digest: hashlib._Hash = attrs.field(factory=lambda: hashlib.md5(usedforsecurity=False), init=False)
    _file: BinaryIO = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._file = self.path.open("wb")

    def add_block(self, block: bytes) -> None:
        """Append *block*."""
        self._digest.update(block)
        self._file.write(block)

    def finish_object(self, content_type: str, modified: float) -> StoredObject:
        """Close the file and return the stored object; *modified* is the time in epoch seconds."""
        size = self._file.tell()
        self._file.close()
        etag = f'"{self._digest.hexdigest()}"'
        return StoredObject(path=self.path, size=size, etag=etag, content_type=content_type, modified=modified)

    def discard_file(self) -> None:
        """Delete the incomplete file."""
        self._file.close()
        self.path.unlink()


@attrs.define(kw_only=True)
class StorageDelivery(Delivery):
    """Sends a response with a ``Content-Length``; a body that ends early closes the connection."""

    async def _send_headers(self) -> None:
        if self.response.content_type:
            self._http_response.headers["Content-Type"] = self.response.content_type
        self.record.status = self.response.status
        await self._http_response.prepare(self.http)

    async def _perform_steps(self, steps: Iterable[Step]) -> bool:
        return await super()._perform_steps(CloseConnection() if isinstance(step, EndBody) else step for step in steps)
