"""The socket and the disk of the storage host.

Contract: no decision is made here. An upload is a file of its own until it is complete; an answer whose length
was promised ends with the connection if it ends early.
Source: the S3 API: an object appears at once and whole, and its tag is the MD5 of its bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import attrs

from gradient_async.testing.http.delivery import Delivery
from gradient_async.testing.scripting.faults import End, HangUp, Step
from gradient_async.testing.storage.responses import Stored


@attrs.define
class Upload:
    """An object on its way into a file."""

    path: Path
    _digest: hashlib._Hash = attrs.field(factory=lambda: hashlib.md5(usedforsecurity=False), init=False)
    _file: BinaryIO = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._file = self.path.open("wb")

    def add(self, block: bytes) -> None:
        """Append to it."""
        self._digest.update(block)
        self._file.write(block)

    def finish(self, content_type: str, modified: float) -> Stored:
        """Return it whole."""
        size = self._file.tell()
        self._file.close()
        etag = f'"{self._digest.hexdigest()}"'
        return Stored(path=self.path, size=size, etag=etag, content_type=content_type, modified=modified)

    def discard(self) -> None:
        """Delete what arrived of it."""
        self._file.close()
        self.path.unlink()


@attrs.define(kw_only=True)
class StorageDelivery(Delivery):
    """An answer whose length was promised: what ends it early can only end the connection."""

    async def _begin(self) -> None:
        if self.answer.content_type:
            self._response.headers["Content-Type"] = self.answer.content_type
        self.record.status = self.answer.status
        await self._response.prepare(self.http)

    async def _perform(self, steps: Iterable[Step]) -> bool:
        return await super()._perform(HangUp() if isinstance(step, End) else step for step in steps)
