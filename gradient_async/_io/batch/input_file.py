"""The input of a batch as an open file that can be read twice: to be checked, then to be uploaded.

Contract: an error if the file changes meanwhile. Memory does not grow with the input. A temporary file has no name, so
it disappears with the process however it ends.
"""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import AsyncGenerator, Iterator

import anyio
import attrs

from gradient_async._io.batch.threads import replace_os_error, write_all
from gradient_async._protocol.batch.line_splitter import LineSplitter
from gradient_async._protocol.batch.presigned import input_changed_error
from gradient_async._protocol.batch.validation_report import InputPart
from gradient_async.errors import BatchError

BLOCK_BYTES = 262_144
STEP_BYTES = 4_194_304
"""Bytes of one step in a thread, between two points where the task can be cancelled; about 10 ms of checking."""


@attrs.define(eq=False)
class InputFile:
    """An open file with unchanging bytes; closed when the last reference to it is gone.

    Attributes:
        name: The file name for the service.
        size: Size in bytes.
    """

    name: str
    size: int
    _fd: int = attrs.field(repr=False)
    _mtime_ns: int | None = attrs.field(default=None, repr=False)
    """Modification time when the file was opened; None for a temporary file."""

    def __attrs_post_init__(self) -> None:
        weakref.finalize(self, os.close, self._fd)

    def read_range(self, offset: int, size: int) -> bytes:
        """Return *size* bytes from *offset*.

        Raises:
            BatchError: The file was written to since it was opened.
        """
        if hasattr(os, "pread"):
            block = os.pread(self._fd, size, offset)
        else:  # Windows
            os.lseek(self._fd, offset, os.SEEK_SET)
            block = os.read(self._fd, size)
        if len(block) != size or (self._mtime_ns is not None and os.fstat(self._fd).st_mtime_ns != self._mtime_ns):
            raise input_changed_error()
        return block

    def iter_blocks(self, offset: int, end: int) -> Iterator[bytes]:
        """Yield the bytes from *offset* to *end* in blocks."""
        while offset < end:
            size = min(BLOCK_BYTES, end - offset)
            yield self.read_range(offset, size)
            offset += size

    async def iter_lines(self, part: InputPart | None = None) -> AsyncGenerator[list[bytes], None]:
        """Yield lists of lines, a few megabytes each, of the whole file or of one *part*."""
        splitter = LineSplitter()
        offset, stop = (0, self.size) if part is None else (part.start, part.end)
        while offset < stop:
            end = min(offset + STEP_BYTES, stop)
            yield await anyio.to_thread.run_sync(self._read_lines, splitter, offset, end)
            offset = end
        yield splitter.feed_eof()

    def _read_lines(self, splitter: LineSplitter, offset: int, end: int) -> list[bytes]:
        return [line for block in self.iter_blocks(offset, end) for line in splitter.feed(block)]


class TempInputWriter:
    """Writes an input to an unnamed temporary file.

    Raises:
        BatchError: The disk refuses the file or its bytes.
    """

    def __init__(self, name: str) -> None:
        self._name, self._size = name, 0
        with replace_os_error(self._build_error), tempfile.TemporaryFile("wb", buffering=0) as stream:
            self._fd = os.dup(stream.fileno())
        self._close_fd = weakref.finalize(self, os.close, self._fd)

    def write_block(self, data: bytes) -> None:
        """Append *data* to the file."""
        with replace_os_error(self._build_error):
            write_all(lambda view: os.write(self._fd, view), data)
        self._size += len(data)

    def to_input_file(self) -> InputFile:
        """Return the complete file, and hand its descriptor over."""
        self._close_fd.detach()
        return InputFile(self._name, self._size, self._fd)

    def _build_error(self, problem: str) -> BatchError:
        return BatchError(
            f"The temporary copy of the input cannot be written: {problem}, after {self._size} bytes. Free some space, "
            "or name a folder with more in the variable TMPDIR."
        )
