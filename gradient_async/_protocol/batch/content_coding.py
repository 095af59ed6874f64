"""Unpacks results that are stored compressed.

Contract: pure; fed with blocks of stored bytes. The bytes decide, not the header: storage hosts hand the stored
``Content-Encoding`` back whatever was asked for, and it was seen as ``utf-8`` or ``aws-chunked`` over plain bytes and
as ``gzip`` over bytes that were unpacked on the way. Results are JSON Lines, so their first byte is never that of a
compressed file.

    first bytes          Content-Encoding   result
    1f 8b                any                gzip, unpacked
    78 01, 9c or da      deflate            zlib, unpacked
    others               br, zstd           an error: the bytes cannot be read
    others               any other          as they are

Source: RFC 1952 (gzip), RFC 1950 (zlib); the S3 API for ``aws-chunked``.
"""

from __future__ import annotations

import zlib
from typing import Any

import attrs

from gradient_async.errors import ProtocolError

_GZIP = b"\x1f\x8b"
_ZLIB_STARTS = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")
_GZIP_WINDOW, _ZLIB_WINDOW = 31, 15
_UNSUPPORTED = frozenset({"br", "zstd", "compress", "x-compress"})
_MAX_STEP_BYTES = 1_048_576
"""Bytes that one step unpacks, so that a small block cannot become a huge one."""


@attrs.define
class ContentUnpacker:
    """Unpacks the stored bytes of one file.

    Attributes:
        packed: Whether the file is compressed; None before its first two bytes.
    """

    packed: bool | None = attrs.field(default=None, init=False)
    _head: bytes = attrs.field(default=b"", init=False)
    _window: int = attrs.field(default=_GZIP_WINDOW, init=False)
    _stream: Any = attrs.field(default=None, init=False)
    _input: bytes = attrs.field(default=b"", init=False)
    _stopped_full: bool = attrs.field(default=False, init=False)
    """Whether the last step ended at its size, so that more may come without further input."""

    def feed(self, block: bytes, coding: str) -> bytes:
        """Take *block* and return unpacked bytes, at most a megabyte of a compressed file; `read_more` has the rest.

        Args:
            block: The next stored bytes.
            coding: The stored ``Content-Encoding``.

        Raises:
            ProtocolError: The file is damaged, or has a coding that is not supported.
        """
        if self.packed is None:
            self._head += block
            if len(self._head) < len(_GZIP):
                return b""
            block, self._head = self._head, b""
            self._choose_stream(block, coding)
        if not self.packed:
            return block
        self._input += block
        return self.read_more()

    def read_more(self) -> bytes:
        """Return the next unpacked bytes of the input so far; ``b""`` when there are none.

        Raises:
            ProtocolError: The file is damaged.
        """
        data = b""
        while self.packed and not data and (self._input or self._stopped_full):
            if self._stream.eof and self._input:  # another member follows
                self._stream = zlib.decompressobj(self._window)
            data = self._unpack_step()
        return data

    def feed_eof(self) -> bytes:
        """Return the bytes of a file too short to be compressed.

        Raises:
            ProtocolError: The compressed file is not complete.
        """
        if self.packed and not self._stream.eof:
            raise ProtocolError("The compressed file at the storage host ends too early.")
        head, self._head = self._head, b""
        return head

    def _choose_stream(self, start: bytes, coding: str) -> None:
        codings = {name.strip().lower() for name in coding.split(",")}
        is_zlib = start.startswith(_ZLIB_STARTS) and "deflate" in codings
        self.packed = start.startswith(_GZIP) or is_zlib
        if self.packed:
            self._window = _ZLIB_WINDOW if is_zlib else _GZIP_WINDOW
            self._stream = zlib.decompressobj(self._window)
        elif found := sorted(codings & _UNSUPPORTED):
            raise ProtocolError(f"The file is stored with the coding {found[0]!r}, which this library cannot unpack.")

    def _unpack_step(self) -> bytes:
        problem = ""
        try:
            data: bytes = self._stream.decompress(self._input, _MAX_STEP_BYTES)
        except zlib.error as error:
            problem = str(error)
        else:
            self._input = self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail
            self._stopped_full = len(data) == _MAX_STEP_BYTES
            return data
        raise ProtocolError(f"The compressed file at the storage host is damaged: {problem}.")
