"""Opens files and byte streams, and decompresses them by their first bytes.

Contract: blocks come as soon as they arrive, so that a pipe is read line by line. gzip, bzip2 and xz are decompressed,
and zstd: by Python from 3.14 on, before by the package backports.zstd, which the extra ``data`` installs. Whatever is
wrong with the file is a `ConfigurationError` that names it.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import sys
import zlib
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator, Mapping
from contextlib import suppress
from importlib import import_module
from typing import Any, BinaryIO, cast

import attrs

from gradient_async.errors import ConfigurationError

BLOCK_BYTES = 262_144
_READ_ERRORS = (EOFError, zlib.error, gzip.BadGzipFile, lzma.LZMAError, ConfigurationError)


def load_zstd() -> Any:
    """Return the module that reads zstd, None without one."""
    for name in ("compression.zstd", "backports.zstd"):
        with suppress(ImportError):
            return import_module(name)
    return None


def _require_zstd() -> Any:
    zstd = load_zstd()
    if zstd is None:
        raise ConfigurationError(
            "it is compressed with zstd, which Python reads from 3.14 on; for this one: "
            "pip install 'gradient-async[data]'"
        )
    return zstd


def _open_zstd(stream: BinaryIO) -> BinaryIO:
    return cast("BinaryIO", _require_zstd().open(stream))


def _read_errors() -> tuple[type[Exception], ...]:
    """Return the exceptions of files that cannot be decompressed; that of zstd has no common base with the others."""
    zstd = load_zstd()
    return _READ_ERRORS if zstd is None else (*_READ_ERRORS, zstd.ZstdError)


def _describe_failure(name: str, error: Exception) -> ConfigurationError:
    """Return the error for the source *name*, of which *error* ended the decompression."""
    problem = error.message if isinstance(error, ConfigurationError) else f"it cannot be decompressed: {error}"
    return ConfigurationError(f"The source {name} cannot be read: {problem}.")


_OPENERS: tuple[tuple[bytes, Callable[[Any], Any]], ...] = (
    (b"\x1f\x8b", gzip.open),
    (b"BZh", bz2.open),
    (b"\xfd7zXZ\x00", lzma.open),
    (b"\x28\xb5\x2f\xfd", _open_zstd),
)
_LONGEST_MAGIC = 6


def is_compressed(start: bytes) -> bool:
    """Whether a file that begins with *start*, at least six bytes of it, is compressed."""
    return any(start.startswith(magic) for magic, _ in _OPENERS)


_DECOMPRESSORS: Mapping[Callable[[Any], Any], Callable[[], Any]] = {
    gzip.open: lambda: zlib.decompressobj(_GZIP_WINDOW),
    bz2.open: bz2.BZ2Decompressor,
    lzma.open: lzma.LZMADecompressor,
    _open_zstd: lambda: _require_zstd().ZstdDecompressor(),
}
_GZIP_WINDOW = 31


async def decompress_blocks(blocks: AsyncIterable[bytes], name: str) -> AsyncIterator[bytes]:
    """Yield the decompressed bytes of an async stream.

    Raises:
        ConfigurationError: The stream cannot be decompressed.
    """
    unpacker, failure = _Unpacker(), None
    try:
        async for block in blocks:
            yield unpacker.feed(block)
        yield unpacker.feed_eof()
    except _read_errors() as error:
        failure = _describe_failure(name, error)
    if failure is not None:
        raise failure


@attrs.define
class _Unpacker:
    """Decompresses blocks by the first bytes of the stream; a stream may consist of several members."""

    _new: Callable[[], Any] | None = attrs.field(default=None, init=False)
    _member: Any = attrs.field(default=None, init=False)
    _start: bytes | None = attrs.field(default=b"", init=False)

    def feed(self, block: bytes) -> bytes:
        if self._start is not None:
            self._start += block
            if len(self._start) < _LONGEST_MAGIC:
                return b""
            block = self._detect(self._start)
        return block if self._new is None else self._decompress(block, self._new)

    def feed_eof(self) -> bytes:
        """Return the bytes of a stream too short to be compressed."""
        if self._member is not None and not self._member.eof:
            raise EOFError("it ends too early")
        return self._start or b""

    def _detect(self, start: bytes) -> bytes:
        self._start = None
        opener = next((opener for magic, opener in _OPENERS if start.startswith(magic)), None)
        self._new = None if opener is None else _DECOMPRESSORS[opener]
        return start

    def _decompress(self, block: bytes, new: Callable[[], Any]) -> bytes:
        data = b""
        while block:
            if self._member is None or self._member.eof:
                self._member = new()
            data += self._member.decompress(block)
            block = self._member.unused_data if self._member.eof else b""
        return data


class _RawReader(io.RawIOBase):
    """Adapts any object with ``read(n)``, such as the body of an S3 object."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data: bytes = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def iterate_blocks(stream: Any, name: str) -> Iterator[bytes]:
    """Yield the decompressed bytes of *stream*, an open binary file or an object with ``read(n)``.

    Raises:
        ConfigurationError: The stream cannot be decompressed.
        OSError: The stream cannot be read.
    """
    failure = None
    if stream is getattr(sys.stdin, "buffer", None):
        # A thread that waits in the buffer of stdin holds its lock, for which the end of the process would abort.
        stream = getattr(stream, "raw", stream)
    try:
        buffered = stream if isinstance(stream, io.BufferedReader) else io.BufferedReader(_RawReader(stream))
        magic = buffered.peek(_LONGEST_MAGIC)[:_LONGEST_MAGIC]
        open_compressed = next((opener for start, opener in _OPENERS if magic.startswith(start)), None)
        reader = buffered if open_compressed is None else open_compressed(buffered)
        while block := reader.read1(BLOCK_BYTES):
            yield block
    except _read_errors() as error:
        failure = _describe_failure(name, error)
    if failure is not None:
        raise failure
